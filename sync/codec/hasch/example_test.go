package hasch_test

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

func ExampleUUID() {
	u, err := hasch.UUID(fressian.Keyword{Name: "branches"})
	fmt.Println(hasch.String(u), err)
	_, err = hasch.UUID(fressian.Regex("a.*"))
	fmt.Println(err)
	// Output:
	// 1643fed1-9f2d-514e-b007-53bbb8682214 <nil>
	// hasch: type has no hash: fressian.Regex
}

func ExampleOfUUID() {
	key, err := hasch.Parse("6b00f5d9-5a97-4278-b72f-697021d07144")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hasch.String(hasch.OfUUID(key)) + ".ksv")
	// Output: 0001a94f-e079-5263-9449-d36ddc227fc8.ksv
}
