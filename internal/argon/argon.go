// Package argon owns where passwords are hashed: in this process, or in one of its own.
//
// It never decides on parameters and never keeps a password. Its key idea: a hash of argon2id is made by several threads at once and
// takes a heap of memory, so that in a server's own process it takes every processor away from what the server is there for, for a
// tenth of a second, and has its memory swept after each. A process beside it has half the processors and a lower priority, and the
// system shares what there is.
package argon

import (
	"context"

	"golang.org/x/crypto/argon2"
)

// Job is one hash to be made.
type Job struct {
	Password, Salt []byte
	Memory         uint32 // KiB
	Passes         uint32
	Lanes          uint8
	Length         uint32 // of the result, in bytes
}

// Maker makes hashes.
type Maker interface {
	Make(ctx context.Context, j Job) ([]byte, error)
}

// Here makes hashes in the caller's goroutine.
type Here struct{}

// Make implements Maker. It never fails.
func (Here) Make(_ context.Context, j Job) ([]byte, error) { return j.run(), nil }

func (j Job) run() []byte {
	return argon2.IDKey(j.Password, j.Salt, j.Passes, j.Memory, j.Lanes, j.Length)
}
