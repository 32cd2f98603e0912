package fressian_test

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func ExampleReader_ReadMap() {
	w := fressian.NewWriter()
	_ = w.Write(fressian.Map{
		{Key: fressian.Keyword{Name: "keys"}, Value: fressian.Vector{"many", "values"}},
		{Key: fressian.Keyword{Name: "level"}, Value: int64(1)},
	})

	r := fressian.NewReader(w.Bytes())
	err := r.ReadMap(func(key any) error {
		if key != (fressian.Keyword{Name: "level"}) {
			return r.Skip()
		}
		level, err := r.ReadInt()
		fmt.Println("level", level)
		return err
	})
	fmt.Println(err, r.Len())
	// Output:
	// level 1
	// <nil> 0
}
