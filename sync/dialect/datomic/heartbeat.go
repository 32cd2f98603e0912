package datomic

import (
	"strconv"
	"time"
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
	r := ednReader{text: m[rowKey].text}
	f, err := r.form(0)
	if err != nil || f.kind != '[' || len(f.items) <= heartbeatTime {
		return at, false
	}
	ms, err := strconv.ParseInt(f.items[heartbeatTime].text, 10, 64)
	return time.UnixMilli(ms), err == nil
}
