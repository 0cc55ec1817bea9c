package agentserver

import (
	"log/slog"

	"github.com/google/uuid"
)

// SetLog has the dialect speak to a test, before anything is asked of it.
func (d *Dialect) SetLog(log *slog.Logger) { d.log = log }

// SanitizeStart is what a creation makes of a body before models are settled: for the fuzzer, which needs many a second.
func SanitizeStart(in map[string]any, root, host string, id uuid.UUID) (map[string]any, error) {
	r, err := (&sanitizer{host: host}).sanitizeStart(in, root, id)
	return r.body, err
}

// Followed is how many of so many conversations at work are followed.
func Followed(noted int) int {
	var f following
	for range noted {
		f.note(uuid.New())
	}
	return len(f.next(noted))
}

// EraseFolders takes the folders of the host out of a text that comes in pieces.
func EraseFolders(text string, size func() int) string {
	var e folderEraser
	b := []byte(text)
	for rest := b; ; {
		n := min(size(), len(rest))
		e.next(rest[:n], n == len(rest))
		if rest = rest[n:]; len(rest) == 0 {
			return string(b)
		}
	}
}
