package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/openhands-saas/openhands-saas/internal/argon"
)

// HashParams is the cost of an argon2id hash.
type HashParams struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

const saltLength, keyLength = 16, 32

// phc is an argon2id hash in the PHC string format: $argon2id$v=19$m=65536,t=3,p=4$salt$key.
type phc struct {
	params    HashParams
	salt, key []byte
}

func newPHC(ctx context.Context, maker argon.Maker, params HashParams, password string) (h phc, err error) {
	h = phc{params: params, salt: randomBytes(saltLength)}
	h.key, err = h.derive(ctx, maker, password, keyLength)
	return h, err
}

// dummyPHC costs as much as any other and belongs to no password: its key is not derived from one.
func dummyPHC(params HashParams) phc {
	return phc{params: params, salt: randomBytes(saltLength), key: randomBytes(keyLength)}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func (h phc) derive(ctx context.Context, maker argon.Maker, password string, length int) ([]byte, error) {
	return maker.Make(ctx, argon.Job{
		Password: []byte(password), Salt: h.salt,
		Memory: h.params.Memory, Passes: h.params.Passes, Lanes: h.params.Lanes, Length: uint32(length),
	})
}

func (h phc) matches(ctx context.Context, maker argon.Maker, password string) (bool, error) {
	key, err := h.derive(ctx, maker, password, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1, err
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.Memory, h.params.Passes, h.params.Lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

var errHashFormat = errors.New("a stored password hash is not readable")

// parsePHC reads what String writes, within bounds: a damaged row must not take the machine's memory.
func parsePHC(encoded string) (phc, error) {
	var h phc
	var version int
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return phc{}, errHashFormat
	}
	_, errVersion := fmt.Sscanf(parts[2], "v=%d", &version)
	_, errParams := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.params.Memory, &h.params.Passes, &h.params.Lanes)
	var errSalt, errKey error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, errKey = base64.RawStdEncoding.DecodeString(parts[5])
	if errors.Join(errVersion, errParams, errSalt, errKey) != nil || version != argon2.Version || !h.sane() {
		return phc{}, errHashFormat
	}
	return h, nil
}

func (h phc) sane() bool {
	p := h.params
	return p.Memory <= 1<<20 && p.Passes > 0 && p.Passes <= 64 && p.Lanes > 0 && len(h.salt) >= 8 && len(h.key) >= 16 && len(h.key) <= 128
}

// verify compares a password with a stored hash. stale says that the hash should be made anew with params: other parameters, or
// a bcrypt hash that was brought along.
func verify(ctx context.Context, maker argon.Maker, params HashParams, encoded, password string) (ok, stale bool, err error) {
	if strings.HasPrefix(encoded, "$2") {
		err := bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password))
		return err == nil, true, nil
	}
	h, err := parsePHC(encoded)
	if err != nil {
		return false, false, err
	}
	ok, err = h.matches(ctx, maker, password)
	return ok, h.params != params, err
}
