package agentserver

import "github.com/google/uuid"

// SanitizeStart is what a creation makes of a body before models are settled: for the fuzzer, which needs many a second.
func SanitizeStart(in map[string]any, root, host string, id uuid.UUID) (map[string]any, error) {
	r, err := sanitizeStart(in, root, host, id)
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
