//go:build !unix

package run

import "os"

// trusted trusts everything: who may write a file is not in its mode here.
func trusted(*os.File) error { return nil }
