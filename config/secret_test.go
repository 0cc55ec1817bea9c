package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/config"
)

func TestTheGeneratedSecretIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, err := config.SecretFile(dir)
	if err != nil || len(first.Reveal()) != 64 {
		t.Fatalf("%v, %d bytes", err, len(first.Reveal()))
	}
	second, err := config.SecretFile(dir)
	if err != nil || second != first {
		t.Errorf("another secret at the second start: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "jwt-secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", err, info.Mode())
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestProcessesThatStartAtOnceGetTheSameSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	secrets := make([]config.Secret, 8)
	for i := range secrets {
		group.Go(func() { secrets[i], _ = config.SecretFile(dir) })
	}
	group.Wait()
	for _, s := range secrets {
		if s == "" || s != secrets[0] {
			t.Fatal("two secrets for one folder")
		}
	}
}

func TestAGeneratedSecretThatOthersReadOrThatWasCutIsRefused(t *testing.T) {
	t.Parallel()
	for content, mode := range map[string]os.FileMode{strings.Repeat("ab", 32): 0o644, "cut": 0o600, "": 0o600} {
		dir := t.TempDir()
		path := filepath.Join(dir, "jwt-secret")
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := config.SecretFile(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q %v: %v", content, mode, err)
		}
	}
}
