//go:build !unix

package sealed

import (
	"errors"
	"os"
)

func likewise(*os.File, os.FileInfo) error { return nil }

func syncFolder(string) error { return nil }

func alone(string, func() error) error {
	return errors.New("a keyset in a file cannot be changed on this system: write the output of 'openhands-saas vault keyset --add' to it")
}
