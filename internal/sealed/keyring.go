// Package sealed owns the keys of the vault: it seals small secrets for the database and opens them again.
//
// It never stores what it seals, and knows nothing of teams. Its key idea: a sealed value is bound to the place it belongs to
// (the associated data), so that a row copied into another tenant's place does not open; and it names the key that it was
// sealed with, so that several keys can be read while one writes.
package sealed

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
)

// ErrTampered is the answer for a value that was changed, cut, or moved from another place.
var ErrTampered = errors.New("the sealed value does not open: it was changed, cut short, or belongs to another place")

// ErrKeyset is the answer for text that is no keyset, or one of keys that cannot serve the vault.
var ErrKeyset = errors.New("this is no keyset of the vault: make one with the command 'openhands-saas vault keyset'")

// MissingKey is the error of a value that was sealed with a key which is not in the keyset.
type MissingKey struct{ ID uint32 }

// Error names the key, never what was sealed.
func (e *MissingKey) Error() string {
	return fmt.Sprintf("key %d is not in the keyset: add the keyset that holds it", e.ID)
}

// Keyring is a set of keys, of which one seals and all open. It does not change, and may be used by many at once.
type Keyring struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	primary uint32
	ids     []uint32
}

// New makes a keyring with one fresh key, and the text to keep it by.
func New() (*Keyring, []byte, error) {
	handle, err := keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	return written(handle)
}

// Parse reads a keyset: Tink's JSON, or the same in base64, which environment variables carry better.
func Parse(text []byte) (*Keyring, error) {
	text = bytes.TrimSpace(text)
	if decoded, err := base64.StdEncoding.DecodeString(string(text)); err == nil && len(decoded) > 0 {
		text = decoded
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, ErrKeyset // the cause could quote the text
	}
	k, err := fromHandle(handle)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// WithNewPrimary gives a keyring that also has a fresh key, which seals from now on, and its text.
func (k *Keyring) WithNewPrimary() (*Keyring, []byte, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	id, err := manager.Add(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("add a key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, nil, fmt.Errorf("choose the new key: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, nil, fmt.Errorf("take the new keyset: %w", err)
	}
	return written(handle)
}

func written(handle *keyset.Handle) (*Keyring, []byte, error) {
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, nil, fmt.Errorf("write the keyset: %w", err)
	}
	k, err := fromHandle(handle)
	return k, text.Bytes(), err
}

// with gives a keyring that also opens what other opens; k's own key goes on sealing.
func (k *Keyring) with(other *Keyring) (*Keyring, error) {
	all := insecurecleartextkeyset.KeysetMaterial(k.handle)
	more := false
	for _, key := range insecurecleartextkeyset.KeysetMaterial(other.handle).GetKey() {
		if key.GetStatus() == tinkpb.KeyStatusType_ENABLED && !k.Has(key.GetKeyId()) {
			all.Key = append(slices.DeleteFunc(all.Key, func(off *tinkpb.Keyset_Key) bool { return off.GetKeyId() == key.GetKeyId() }), key)
			more = true
		}
	}
	if !more {
		return k, nil
	}
	raw, err := proto.Marshal(all)
	if err != nil {
		return nil, ErrKeyset
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, ErrKeyset
	}
	return fromHandle(handle)
}

// fromHandle takes keys of the one kind that the vault can use: a value must tell its key, and the key that seals must open.
func fromHandle(handle *keyset.Handle) (*Keyring, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, ErrKeyset // of signatures, say
	}
	k := &Keyring{handle: handle, aead: primitive, primary: handle.KeysetInfo().GetPrimaryKeyId()}
	for _, info := range handle.KeysetInfo().GetKeyInfo() {
		if info.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			continue
		}
		if info.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, ErrKeyset
		}
		k.ids = append(k.ids, info.GetKeyId())
	}
	return k, k.proven()
}

// proven seals something and opens it again.
func (k *Keyring) proven() error {
	sealed, err := k.Seal([]byte("proof"), "proof")
	if err != nil {
		return ErrKeyset
	}
	plain, err := k.Open(sealed, "proof")
	if id, _ := KeyID(sealed); err != nil || string(plain) != "proof" || id != k.primary {
		return ErrKeyset
	}
	return nil
}

// Seal closes a value for one place. The place's parts are told apart, whatever is in them.
func (k *Keyring) Seal(plain []byte, place ...string) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plain, joined(place))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open gives back what was sealed for the same place: *MissingKey when the key is not here, ErrTampered otherwise.
func (k *Keyring) Open(sealed []byte, place ...string) ([]byte, error) {
	id, err := KeyID(sealed)
	if err != nil {
		return nil, err
	}
	if !k.Has(id) {
		return nil, &MissingKey{ID: id}
	}
	plain, err := k.aead.Decrypt(sealed, joined(place))
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// Primary is the key that seals.
func (k *Keyring) Primary() uint32 { return k.primary }

// IDs are all keys of the ring.
func (k *Keyring) IDs() []uint32 { return slices.Clone(k.ids) }

// Has says whether values sealed with this key can be opened.
func (k *Keyring) Has(id uint32) bool { return slices.Contains(k.ids, id) }

// prefix is what Tink writes before a value: a version, 1, and the key's number.
const prefix = 5

// KeyID reads which key a value was sealed with.
func KeyID(sealed []byte) (uint32, error) {
	if len(sealed) <= prefix || sealed[0] != 1 {
		return 0, ErrTampered
	}
	return binary.BigEndian.Uint32(sealed[1:prefix]), nil
}

// joined writes each part's length before it, so that ("ab","c") is not ("a","bc").
func joined(place []string) []byte {
	var out strings.Builder
	for _, part := range place {
		out.WriteString(strconv.Itoa(len(part)))
		out.WriteByte(':')
		out.WriteString(part)
	}
	return []byte(out.String())
}
