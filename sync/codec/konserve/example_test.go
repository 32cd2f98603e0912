package konserve_test

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

func ExampleCodec() {
	c := konserve.NewCodec("secret")
	header := konserve.Header{Serializer: konserve.Fressian, Compressor: konserve.Zstd, Encryptor: konserve.AES}
	meta := konserve.Meta{Key: fressian.Keyword{Name: "logo"}, Type: konserve.TypeBinary}
	blob, err := c.Seal(header, meta, []byte("a picture"), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}

	opened, err := c.Open(blob)
	fmt.Println(opened.Meta.Type, opened.Compressor, opened.Encryptor, string(opened.Value), err)
	_, err = konserve.NewCodec("guess").Open(blob)
	fmt.Println(errors.Is(err, konserve.ErrKey))
	// Output:
	// binary zstd aes a picture <nil>
	// true
}
