// Package migrations owns the database schema as numbered SQL files, embedded in the binary.
//
// It holds no logic: internal/postgres applies the files in the order of their names, under a lock. A file is never edited
// after a release; a change is a new file.
package migrations

import "embed"

// Files holds the SQL files in sql-migrate's format.
//
//go:embed *.sql
var Files embed.FS
