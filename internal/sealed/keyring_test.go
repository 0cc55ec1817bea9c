package sealed_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/signature"

	"github.com/openhands-saas/openhands-saas/internal/sealed"
)

func ring(t *testing.T) *sealed.Keyring {
	t.Helper()
	k, _, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, k interface {
	Seal([]byte, ...string) ([]byte, error)
}, plain string, place ...string) []byte {
	t.Helper()
	s, err := k.Seal([]byte(plain), place...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func opens(t *testing.T, k interface {
	Open([]byte, ...string) ([]byte, error)
}, sealed []byte, want string, place ...string) {
	t.Helper()
	plain, err := k.Open(sealed, place...)
	if err != nil || string(plain) != want {
		t.Fatalf("opened %q, %v; want %q", plain, err, want)
	}
}

func TestAValueOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	k := ring(t)
	s := seal(t, k, "sk-1", "team", "ada", "api_key")
	opens(t, k, s, "sk-1", "team", "ada", "api_key")
	for _, place := range [][]string{{"team", "bob", "api_key"}, {"team", "ada"}, {"teama", "da", "api_key"}, {"team", "ada", "api_key", ""}, nil} {
		if _, err := k.Open(s, place...); !errors.Is(err, sealed.ErrTampered) {
			t.Errorf("in %q: %v", place, err)
		}
	}
}

func TestAChangedOrCutValueDoesNotOpen(t *testing.T) {
	t.Parallel()
	k := ring(t)
	s := seal(t, k, "sk-1", "here")
	for i := range s {
		changed := append([]byte(nil), s...)
		changed[i] ^= 1
		if plain, err := k.Open(changed, "here"); err == nil {
			t.Errorf("with byte %d changed it gives %q", i, plain)
		}
		if plain, err := k.Open(s[:i], "here"); !errors.Is(err, sealed.ErrTampered) {
			t.Errorf("cut to %d bytes it gives %q, %v", i, plain, err)
		}
	}
}

func TestTheSameValueSealedTwiceDiffers(t *testing.T) {
	t.Parallel()
	k := ring(t)
	if first, second := seal(t, k, "same", "here"), seal(t, k, "same", "here"); string(first) == string(second) {
		t.Error("whoever sees both knows that they are equal")
	}
}

func TestAfterANewPrimaryBothOpenAndTheNewOneSeals(t *testing.T) {
	t.Parallel()
	old := ring(t)
	before := seal(t, old, "before", "here")
	both, text, err := old.WithNewPrimary()
	if err != nil {
		t.Fatal(err)
	}
	opens(t, both, before, "before", "here")
	after := seal(t, both, "after", "here")
	if id, err := sealed.KeyID(after); err != nil || id != both.Primary() || id == old.Primary() {
		t.Errorf("sealed with %d, %v; the ring says %d, before %d", id, err, both.Primary(), old.Primary())
	}
	_, err = old.Open(after, "here")
	if missing, ok := errors.AsType[*sealed.MissingKey](err); !ok || missing.ID != both.Primary() {
		t.Errorf("the old ring says %v", err)
	}
	for _, form := range []string{string(text), "\n" + string(text) + "\n", base64.StdEncoding.EncodeToString(text)} {
		again, err := sealed.Parse([]byte(form))
		if err != nil {
			t.Fatal(err)
		}
		opens(t, again, before, "before", "here")
		opens(t, again, after, "after", "here")
	}
}

func TestWhatIsNoKeysetIsRefusedWithoutBeingRepeated(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "secret-words", "{}", `{"primaryKeyId":1,"key":[]}`, "AAAA"} {
		if _, err := sealed.Parse([]byte(text)); !errors.Is(err, sealed.ErrKeyset) || err.Error() != sealed.ErrKeyset.Error() {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// keyset writes a set of one enabled key of a kind, and of one disabled key of the right kind.
func keysetOf(t *testing.T, template *tinkpb.KeyTemplate) []byte {
	t.Helper()
	manager := keyset.NewManager()
	id, err := manager.Add(template)
	if err != nil {
		t.Fatal(err)
	}
	off, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err := errors.Join(err, manager.SetPrimary(id), manager.Disable(off)); err != nil {
		t.Fatal(err)
	}
	handle, err := manager.Handle()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func TestKeysThatCannotServeTheVaultAreRefused(t *testing.T) {
	t.Parallel()
	for name, template := range map[string]*tinkpb.KeyTemplate{
		"without a prefix":        aead.AES256GCMNoPrefixKeyTemplate(),
		"with another's prefix":   crunchy(),
		"for signatures":          signature.ED25519KeyTemplate(),
		"for message codes":       mac.HMACSHA256Tag256KeyTemplate(),
		"that seal the same text": daead.AESSIVKeyTemplate(),
	} {
		if _, err := sealed.Parse(keysetOf(t, template)); !errors.Is(err, sealed.ErrKeyset) {
			t.Errorf("keys %s: %v", name, err)
		}
	}
}

func crunchy() *tinkpb.KeyTemplate {
	template := aead.AES256GCMKeyTemplate()
	template.OutputPrefixType = tinkpb.OutputPrefixType_CRUNCHY
	return template
}

func TestAKeyThatIsSwitchedOffIsNotThere(t *testing.T) {
	t.Parallel()
	k, err := sealed.Parse(keysetOf(t, aead.AES256GCMKeyTemplate()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{k.Primary()}, k.IDs()); diff != "" {
		t.Error(diff)
	}
}
