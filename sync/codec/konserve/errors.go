package konserve

import "errors"

var (
	// ErrMalformed reports bytes that no konserve writes: a truncated or
	// damaged blob.
	ErrMalformed = errors.New("konserve: malformed blob")

	// ErrUnsupported reports a form of blob that this package does not read.
	ErrUnsupported = errors.New("konserve: unsupported blob")

	// ErrNoKey reports an encrypted blob where the codec has no key.
	ErrNoKey = errors.New("konserve: blob is encrypted: the encryption key that the database is configured with is needed")

	// ErrKey reports an encrypted blob that does not decrypt to anything.
	ErrKey = errors.New("konserve: wrong key or damaged blob")

	// ErrTooLarge reports a part that is larger than [Codec].MaxPlain when
	// decompressed.
	ErrTooLarge = errors.New("konserve: blob too large")

	// ErrWrongName reports a blob that is stored under another key's name.
	ErrWrongName = errors.New("konserve: blob under a wrong name")
)
