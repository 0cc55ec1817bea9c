//go:build unix

package embedpg

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// tailBytes is as much as a person reads of a failed start.
const tailBytes = 2048

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	t.end = t.end[max(0, len(t.end)-tailBytes):]
	return len(p), nil
}

// String gives what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.end))
}

// lastLines reads the end of the newest log of a database.
func lastLines(cluster string) string {
	var newest os.FileInfo
	entries, _ := os.ReadDir(filepath.Join(cluster, logFolder)) // none: nothing was said
	for _, e := range entries {
		if info, err := e.Info(); err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest = info
		}
	}
	if newest == nil {
		return ""
	}
	f, err := os.Open(filepath.Join(cluster, logFolder, newest.Name()))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	var t tail
	_, _ = io.Copy(&t, io.NewSectionReader(f, max(0, newest.Size()-tailBytes), tailBytes))
	return t.String()
}
