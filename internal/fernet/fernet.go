// Package fernet owns one thing: to open values that were sealed with Fernet (https://github.com/fernet/spec), as the upstream's
// files hold them. It never seals any: what is kept here is sealed by internal/sealed.
//
// Its key idea: nothing of a value is looked at before its signature was checked, and no error says anything of a value.
package fernet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// Prefix begins every token whose time lies before the year 2106: the version, and zeros of the time.
const Prefix = "gAAAAA"

// A token is a version, a time of 8 bytes, an initialization vector, what was encrypted and padded, and the signature of all that.
const (
	version = 0x80
	header  = 1 + 8 + aes.BlockSize
)

// Why a token does not open.
var (
	ErrCut = errors.New("it is not whole: it was cut or changed")
	ErrKey = errors.New("it was sealed with another key, or was changed")
)

// Key opens tokens.
type Key struct{ signing, encryption []byte }

// Derive makes the key of a secret text, as the upstream does: by its SHA-256.
func Derive(secret string) *Key {
	sum := sha256.Sum256([]byte(secret))
	return &Key{signing: sum[:16], encryption: sum[16:]}
}

// Open gives what a token holds: else ErrCut, or ErrKey. How old it is does not matter.
func (k *Key) Open(token string) ([]byte, error) {
	raw, err := base64.URLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < header+aes.BlockSize+sha256.Size || raw[0] != version {
		return nil, ErrCut
	}
	signed, signature := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if (len(signed)-header)%aes.BlockSize != 0 {
		return nil, ErrCut
	}
	mac := hmac.New(sha256.New, k.signing)
	mac.Write(signed)
	if !hmac.Equal(mac.Sum(nil), signature) {
		return nil, ErrKey
	}
	return k.decrypt(signed[header-aes.BlockSize:header], signed[header:])
}

func (k *Key) decrypt(vector, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(k.encryption)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, vector).CryptBlocks(plain, sealed)
	return unpadded(plain)
}

// unpadded is plain without its last bytes, each of which is their number (PKCS #7).
func unpadded(plain []byte) ([]byte, error) {
	count := int(plain[len(plain)-1])
	if count == 0 || count > aes.BlockSize {
		return nil, ErrCut
	}
	for _, b := range plain[len(plain)-count:] {
		if int(b) != count {
			return nil, ErrCut
		}
	}
	return plain[:len(plain)-count], nil
}
