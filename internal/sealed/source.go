package sealed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Source keeps a keyring current. A keyset in a file is read anew when the file has changed, so that a new key reaches running
// servers: at once where a value of an unknown key is met, else within a second. What it knew once it knows for as long as the
// process lives, whatever happens to the file.
type Source struct {
	path string // "" when the keyset does not come from a file
	now  func() time.Time

	mu     sync.Mutex
	ring   *Keyring
	seen   os.FileInfo // of the file that was read last
	looked time.Time   // when the file was looked at last
}

// patience is how old the keyring may be that seals: another process may have made a new key meanwhile.
const patience = time.Second

// FromValue is a keyset that was given as such. It does not change before the next start.
func FromValue(text string) (*Source, error) {
	ring, err := Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return &Source{ring: ring, now: time.Now}, nil
}

// FromFile is a keyset in a file.
func FromFile(path string) (*Source, error) {
	s := &Source{path: path, now: time.Now}
	if err := s.read(); err != nil {
		return nil, err
	}
	return s, nil
}

// EnsureFile is FromFile, with a new keyset where there is no file. Of several that start at once all get the same one.
func EnsureFile(path string) (*Source, error) {
	s, err := FromFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	_, text, err := New()
	if err != nil {
		return nil, err
	}
	if err := create(path, text); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("keep the new keyset: %w", err)
	}
	return FromFile(path)
}

// Current is the keyring, no older than a second.
func (s *Source) Current() *Keyring {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path != "" && s.now().Sub(s.looked) >= patience {
		s.renew()
	}
	return s.ring
}

// Open opens a value, and looks for its key in the file when it is new.
func (s *Source) Open(sealed []byte, place ...string) ([]byte, error) {
	plain, err := s.Current().Open(sealed, place...)
	if _, missing := errors.AsType[*MissingKey](err); missing && s.changed() {
		return s.Current().Open(sealed, place...)
	}
	return plain, err
}

// Seal closes a value with the current key.
func (s *Source) Seal(plain []byte, place ...string) ([]byte, error) {
	return s.Current().Seal(plain, place...)
}

// Has says whether values sealed with this key can be opened, after a look into the file.
func (s *Source) Has(id uint32) bool {
	return s.Current().Has(id) || s.changed() && s.Current().Has(id)
}

// InFile says whether the keyset is one that Rotate can change.
func (s *Source) InFile() bool { return s.path != "" }

// Rotate adds a fresh key to the file and makes it the one that seals. Of several at once, in whatever processes, each adds its
// own. Without a file it cannot: ErrNoFile.
func (s *Source) Rotate() error {
	if !s.InFile() {
		return ErrNoFile
	}
	path, err := filepath.EvalSymlinks(s.path) // a link stays one
	if err != nil {
		return fmt.Errorf("find the keyset: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return alone(path, func() error { return s.add(path) })
}

func (s *Source) add(path string) error {
	if err := s.load(); err != nil {
		return err
	}
	_, text, err := s.ring.WithNewPrimary()
	if err != nil {
		return err
	}
	if err := replace(path, text); err != nil {
		return fmt.Errorf("keep the new keyset: %w. Where the file cannot be replaced from here, write the output of "+
			"'openhands-saas vault keyset --add' to it by other means, then rotate", err)
	}
	return s.load()
}

// ErrNoFile is the answer to a rotation of a keyset that was given as a value.
var ErrNoFile = errors.New("the keyset was given as a value and cannot be changed here: run 'openhands-saas vault keyset --add', " +
	"give its output to every replica as VAULT_KEYSET, restart them, and rotate then")

// changed reads the file again when it is another one than before, and says whether it was.
func (s *Source) changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.path != "" && s.renew()
}

// renew is changed, under the lock. A file that is broken or away leaves everything as it was.
func (s *Source) renew() bool {
	s.looked = s.now()
	info, err := os.Stat(s.path)
	if err != nil || os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return false
	}
	return s.load() == nil
}

func (s *Source) read() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load()
}

// load reads the file and adds what was known before.
func (s *Source) load() error {
	s.looked = s.now()
	text, info, err := readFile(s.path)
	if err != nil {
		return fmt.Errorf("read the keyset: %w", err)
	}
	ring, err := Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if s.ring != nil {
		if ring, err = ring.with(s.ring); err != nil {
			return err
		}
	}
	s.ring, s.seen = ring, info
	return nil
}

func readFile(path string) ([]byte, os.FileInfo, error) {
	info, err := os.Stat(path) // before the text: what comes between the two is read again
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(path)
	return text, info, err
}
