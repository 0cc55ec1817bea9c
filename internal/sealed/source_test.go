package sealed_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/sealed"
)

func file(t *testing.T, path string) *sealed.Source {
	t.Helper()
	s, err := sealed.EnsureFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAMissingFileIsMadeOnceForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	var all sync.WaitGroup
	values := make([][]byte, 8)
	for i := range values {
		all.Go(func() {
			if s, err := sealed.EnsureFile(path); err != nil {
				t.Error(err)
			} else {
				values[i], _ = s.Seal([]byte("x"), "here")
			}
		})
	}
	all.Wait()
	for _, value := range values {
		opens(t, file(t, path), value, "x", "here")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

func TestARotationReachesWhoeverReadsTheSameFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	server, command := file(t, path), file(t, path)
	before := seal(t, server, "before", "here")
	if err := command.Rotate(); err != nil {
		t.Fatal(err)
	}
	opens(t, command, before, "before", "here")
	opens(t, server, seal(t, command, "after", "here"), "after", "here")
	if server.Current().Primary() != command.Current().Primary() {
		t.Error("the server goes on sealing with the old key")
	}
}

func TestAFreshKeyIsFoundAtOnceByWhoeverMeetsAValueOfIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	server, command := file(t, path), file(t, path)
	for range 3 { // faster than any pause between two looks
		if err := command.Rotate(); err != nil {
			t.Fatal(err)
		}
		opens(t, server, seal(t, command, "after", "here"), "after", "here")
	}
}

func TestAFreshKeySealsEverywhereWithinASecondOfItsComing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	server, command := file(t, path), file(t, path)
	if err := command.Rotate(); err != nil {
		t.Fatal(err)
	}
	sealed.Later(server, time.Second) // and it has met no value of the new key
	if id, err := sealed.KeyID(seal(t, server, "x", "here")); err != nil || id != command.Current().Primary() {
		t.Errorf("it seals with %d, %v; want %d", id, err, command.Current().Primary())
	}
}

func TestRotationsAtOnceLoseNoKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	file(t, path)
	var all sync.WaitGroup
	values := make([][]byte, 16)
	for i := range values {
		all.Go(func() {
			s, err := sealed.FromFile(path)
			if err == nil {
				err = s.Rotate()
			}
			if err == nil {
				values[i], err = s.Current().Seal([]byte("x"), "here")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	after := file(t, path)
	for _, value := range values {
		opens(t, after, value, "x", "here")
	}
	if n := len(after.Current().IDs()); n != len(values)+1 {
		t.Errorf("the file holds %d keys, want %d", n, len(values)+1)
	}
}

func TestAKeyThatLeavesTheFileIsKnownToWhoeverRuns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	server := file(t, path)
	before := seal(t, server, "before", "here")
	fresh, text, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := fresh.Seal([]byte("after"), "here")
	if err != nil {
		t.Fatal(err)
	}
	opens(t, server, after, "after", "here")
	opens(t, server, before, "before", "here")
	if server.Current().Primary() != fresh.Primary() {
		t.Error("the file does not say which key seals")
	}
	if err := server.Rotate(); err != nil {
		t.Fatal(err)
	}
	opens(t, file(t, path), before, "before", "here") // a rotation writes all that it knows
}

func TestARotationKeepsTheFilesPlaceAndRights(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "keyset.json"), filepath.Join(dir, "link")
	file(t, path)
	if err := errors.Join(os.Chmod(path, 0o640), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	if err := file(t, link).Rotate(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is now %v, %v", info, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 || len(file(t, path).Current().IDs()) != 2 {
		t.Errorf("the file is now %v, %v", info, err)
	}
}

func TestABrokenFileIsNamedAndKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault-keyset.json")
	if err := os.WriteFile(path, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sealed.EnsureFile(path); !errors.Is(err, sealed.ErrKeyset) {
		t.Errorf("got %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "half of it" {
		t.Errorf("overwritten with %q", text)
	}
}

func TestAKeysetThatWasGivenIsNotRotatedHere(t *testing.T) {
	t.Parallel()
	_, text, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sealed.FromValue(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(); !errors.Is(err, sealed.ErrNoFile) {
		t.Errorf("got %v", err)
	}
}
