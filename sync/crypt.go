package dbsync

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rclone/rclone/backend/crypt"
	"github.com/rclone/rclone/backend/crypt/pkcs7"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/cache"
)

// checkKey refuses a crypt remote whose passwords are not those of what lies
// there. rclone passes by names that it cannot decrypt, so such a place looks
// empty, and a backup would begin anew beside the one that is there.
//
// It is meant for a place where no backup was found: then it costs two listings
// where there is nothing, and few more where names prove nothing. A remote that
// is not encrypted costs nothing.
func checkKey(ctx context.Context, f fs.Fs) error {
	for f != nil {
		if c, ok := f.(*crypt.Fs); ok {
			if err := checkCrypt(ctx, c); err != nil {
				return err
			}
		}
		unwrap := f.Features().UnWrap
		if unwrap == nil {
			return nil
		}
		f = unwrap()
	}
	return nil
}

// checkCrypt looks at what one layer wraps: below the directory itself and,
// where its name is encrypted and so cannot be found with another key, at the
// remote's root.
func checkCrypt(ctx context.Context, c *crypt.Fs) error {
	_, _, _, config, err := fs.ConfigFs(fs.ConfigStringFull(c))
	if err != nil {
		return err
	}
	cipher, err := crypt.NewCipher(config)
	if err != nil {
		return err
	}
	at, _ := config.Get("remote")
	top, err := cache.Get(ctx, at)
	if err != nil {
		return err
	}
	k := &keyCheck{cipher: cipher, plainDirs: cipher.EncryptDirName("x") == "x"}
	below := []fs.Fs{c.UnWrap()}
	if !k.plainDirs && c.Root() != "" {
		below = append(below, top)
	}
	for _, f := range below {
		if err := k.look(ctx, f, ""); err != nil && !errors.Is(err, errLookedEnough) {
			return fmt.Errorf("failed to look at what %s encrypts: %w", fs.ConfigString(c), err)
		}
	}
	if k.own || !k.other {
		return nil
	}
	return refuse("nothing in %s can be decrypted: the password or password2 of the crypt remote is not the one with which it was written; "+
		"put the right ones into the configuration or, for new backups with other passwords, give the crypt remote a directory of its own", fs.ConfigString(top))
}

// How much is looked at where names prove nothing.
const (
	maxKeyLists  = 8
	maxKeyBodies = 3
	// keyProof is the length of what proves a key: crypt's header and the
	// first block, which is authenticated as a whole.
	keyProof = 32 + 16 + 64<<10
)

// errLookedEnough ends a look that has found what it was for, or too little.
var errLookedEnough = errors.New("looked enough")

// keyCheck is what is known of whether a key is the right one.
type keyCheck struct {
	cipher    *crypt.Cipher
	plainDirs bool
	// own: something was written with this key. other: with another one.
	own, other    bool
	lists, bodies int
	// dirs have names of this key.
	dirs []string
}

// look lists a directory as it lies, and those below it where names of
// directories prove nothing.
func (k *keyCheck) look(ctx context.Context, f fs.Fs, dir string) error {
	if k.lists++; k.own || k.lists > maxKeyLists {
		return errLookedEnough
	}
	var dirs []string
	page := func(entries fs.DirEntries) error {
		for _, e := range entries {
			if _, isDir := e.(fs.Directory); isDir && !k.tells(true) {
				if len(dirs) < maxKeyLists {
					dirs = append(dirs, e.Remote())
				}
				continue
			}
			if err := k.judge(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	if listP := f.Features().ListP; listP != nil {
		err = listP(ctx, dir, page)
	} else {
		var entries fs.DirEntries
		if entries, err = f.List(ctx, dir); err == nil {
			err = page(entries)
		}
	}
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	for _, d := range dirs {
		if err == nil {
			err = k.look(ctx, f, d)
		}
	}
	if err == nil {
		err = k.lookIntoOwn(ctx, f)
	}
	return err
}

// lookIntoOwn sees whether a directory with a name of this key has something.
func (k *keyCheck) lookIntoOwn(ctx context.Context, f fs.Fs) error {
	mine := k.dirs
	k.dirs = nil
	for _, d := range mine {
		if k.lists++; k.lists > maxKeyLists {
			return errLookedEnough
		}
		entries, err := f.List(ctx, d)
		if err != nil && !errors.Is(err, fs.ErrorDirNotFound) {
			return err
		}
		if len(entries) > 0 {
			k.own = true
			return errLookedEnough
		}
	}
	return nil
}

// tells whether names of files, or of directories, prove the key.
func (k *keyCheck) tells(dir bool) bool {
	return k.cipher.NameEncryptionMode() == crypt.NameEncryptionStandard && (!dir || !k.plainDirs)
}

// judge sees what one entry proves. What nobody has encrypted proves nothing.
func (k *keyCheck) judge(ctx context.Context, e fs.DirEntry) error {
	name, err := k.cipher.DecryptFileName(path.Base(e.Remote()))
	if k.tells(false) {
		if readable(name) && err == nil {
			if _, isDir := e.(fs.Directory); isDir {
				k.dirs = append(k.dirs, e.Remote()) // a wrong key may have made it, and nothing in it
				return nil
			}
			k.own = true
			return errLookedEnough
		}
		k.other = k.other || err == nil || badPadding(err)
		return nil
	}
	o, ok := e.(fs.Object)
	if !ok || err != nil || o.Size() <= 32+16 { // a header alone proves nothing
		return nil
	}
	return k.open(ctx, o)
}

// open sees whether the first block of a file is authentic.
func (k *keyCheck) open(ctx context.Context, o fs.Object) error {
	in, err := o.Open(ctx, &fs.RangeOption{Start: 0, End: keyProof - 1})
	if err != nil {
		return err
	}
	plain, err := k.cipher.DecryptData(in) // closes in if it fails
	if err == nil {
		_, err = plain.Read(make([]byte, 1))
		_ = plain.Close()
	}
	switch {
	case err == nil:
		k.own = true
	case errors.Is(err, crypt.ErrorEncryptedBadBlock):
		k.other = true
	case errors.Is(err, crypt.ErrorEncryptedBadMagic):
		return nil
	default:
		return err
	}
	if k.bodies++; k.own || k.bodies == maxKeyBodies {
		return errLookedEnough
	}
	return nil
}

// badPadding tells a name that another key has encrypted from one that nobody has.
func badPadding(err error) bool {
	for _, bad := range []error{
		pkcs7.ErrorPaddingNotFound, pkcs7.ErrorPaddingNotAMultiple, pkcs7.ErrorPaddingTooLong, pkcs7.ErrorPaddingTooShort, pkcs7.ErrorPaddingNotAllTheSame,
	} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

// readable tells a name from what another key makes of one: every 256th such
// has a padding that fits.
func readable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
