package datomic

import (
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// HeartbeatRows are the rows in which a transactor and its standby say that
// they live. They are of the form
//
//	{:key "[host alt-host port user password time version …]"}
//
// so they hold a password: nothing of them may be shown.
var HeartbeatRows = []string{"pod-coord", "pod-standby"}

// heartbeatTime is where a heartbeat's vector has its time, in milliseconds.
const heartbeatTime = 5

// Heartbeat is when a transactor has written the row whose map this is. It is
// not ok where the row is of another form, which nothing depends on.
func Heartbeat(text string) (at time.Time, ok bool) {
	m, err := parseRow(text)
	if err != nil {
		return at, false
	}
	text, _ = value[string](m, rowKey)
	v, err := edn.Parse([]byte(text))
	if items, is := v.(fressian.Vector); err == nil && is && len(items) > heartbeatTime {
		ms, ok := items[heartbeatTime].(int64)
		return time.UnixMilli(ms), ok
	}
	return at, false
}
