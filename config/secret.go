package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// Secret is a value that formats as a mask, so that it cannot slip into a log by accident. Reveal gives the bytes.
type Secret string

const mask = "(set)"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String says only whether there is a value: neither its length nor a part of it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString masks %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// LogValue masks structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// secretFileName is the generated JWT secret's file in the data folder.
const secretFileName = "jwt-secret"

// SecretFile returns the JWT secret kept in dir, and makes it at the first call: 48 random bytes, readable by the owner
// only. Two processes that start at once end with the same secret.
func SecretFile(dir string) (Secret, error) {
	path := filepath.Join(dir, secretFileName)
	secret, err := readSecretFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := makeSecretFile(dir, path); err != nil {
		return "", fmt.Errorf("make the JWT secret in DATA_DIR: %w", err)
	}
	return readSecretFile(path)
}

func readSecretFile(path string) (Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read the JWT secret: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("%s is readable by everybody on this machine: run chmod 600 %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the JWT secret: %w", err)
	}
	secret := strings.TrimSpace(string(raw))
	if err := strongSecret(secret); err != nil {
		return "", fmt.Errorf("%s: %w, or remove the file to get a new one (everybody must sign in again)", path, err)
	}
	return Secret(secret), nil
}

// makeSecretFile writes a temporary file and links it, so that nobody ever reads half a secret and the first one wins.
func makeSecretFile(dir, path string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { // an embedded database may run as another account, which passes through
		return err
	}
	file, err := os.CreateTemp(dir, ".jwt-secret-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	var raw [48]byte
	_, _ = rand.Read(raw[:]) // never fails
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(raw[:]) + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// minSecret is the least length of a signing secret: the size of HS256's hash.
const minSecret = 32

// placeholders are the secrets of sample files in circulation; whoever reads those files could sign tokens.
var placeholders = []string{
	"secret_key_change_this_in_production",
	"your-secret-key-change-this",
	"your-secret-key-change-this-in-production",
}

// strongSecret refuses what an attacker knows or can guess. Its texts never hold the secret.
func strongSecret(secret string) error {
	lower := strings.ToLower(secret)
	for _, p := range placeholders {
		if lower == p {
			return errors.New("this is a placeholder from a sample file; make a secret with: openssl rand -base64 48")
		}
	}
	if len(secret) < minSecret {
		return fmt.Errorf("shorter than %d bytes; make a secret with: openssl rand -base64 48", minSecret)
	}
	if strings.Count(secret, secret[:1]) == len(secret) {
		return errors.New("one repeated character; make a secret with: openssl rand -base64 48")
	}
	return nil
}
