package argon

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Serve makes the hashes that are asked for on in, at the same time, and writes them to out, until in ends. It is the whole life of
// the process beside the server.
func Serve(in io.Reader, out io.Writer) error {
	var all sync.WaitGroup
	defer all.Wait()
	var mu sync.Mutex
	to := gob.NewEncoder(out)
	for from := gob.NewDecoder(in); ; {
		var q question
		if err := from.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read a password to be hashed: %w", err)
		}
		all.Go(func() {
			key := q.Job.run()
			mu.Lock()
			defer mu.Unlock()
			_ = to.Encode(answer{q.ID, key}) // who asked is gone, and in ends next
		})
	}
}
