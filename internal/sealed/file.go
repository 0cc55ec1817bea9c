package sealed

import (
	"errors"
	"os"
	"path/filepath"
)

// create writes a file that must not be there yet; nobody ever sees half of it.
func create(path string, text []byte) error {
	return beside(path, text, func(*os.File) error { return nil }, os.Link)
}

// replace puts another text in a file's place, for the same owner with the same rights; whoever reads meanwhile gets the one or
// the other.
func replace(path string, text []byte) error {
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	return beside(path, text, func(f *os.File) error { return likewise(f, old) }, os.Rename)
}

// beside writes a file in full before it gets its place, and has the disk keep both.
func beside(path string, text []byte, adjust func(*os.File) error, place func(finished, path string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // for the owner's eyes only
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	if err := errors.Join(err, adjust(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
