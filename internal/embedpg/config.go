// Package embedpg owns a Postgres server of our own: it starts the system's binaries on a folder of ours, reachable through a
// Unix socket only, and ends it with us.
//
// It never downloads anything, never speaks SQL, and never wipes or changes data that it does not recognise. Its key idea: the
// server is our direct child and a lock on the data folder is held for as long as it lives, so that a crash of either side
// leaves nothing behind that the next start could misjudge.
package embedpg

import (
	"cmp"
	"errors"
	"log/slog"
	"time"
)

// ErrInUse means that another process runs a server on the same data folder; see Attach.
var ErrInUse = errors.New("another process uses the data folder")

// ErrNotRunning is Attach's answer when there is no server to attach to.
var ErrNotRunning = errors.New("no database server runs on the data folder")

// Config says where the server lives. Only DataDir is required.
type Config struct {
	DataDir   string            // the database goes into its subfolder "postgres"
	SocketDir string            // default: "postgres.run" in DataDir; where that is too long, a folder in the system's temporary one
	BinDir    string            // the folder of initdb and postgres; default: searched for
	Fsync     bool              // true for everything but throw-away data
	Settings  map[string]string // further settings of postgresql.conf
	Log       *slog.Logger      // nil discards

	// StopTimeout is how long a fast shutdown may take before it is forced, and how long a start waits for a former server
	// that is still ending. Default: 15 s.
	StopTimeout time.Duration
}

func (c Config) withDefaults() Config {
	c.StopTimeout = cmp.Or(c.StopTimeout, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
