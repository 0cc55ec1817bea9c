package sealed

import "time"

// Later lets time pass for a source.
func Later(s *Source, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now
	s.now = func() time.Time { return now().Add(by) }
}
