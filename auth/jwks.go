package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
)

// KeySet is a JSON Web Key Set (RFC 7517).
type KeySet struct {
	Keys []PublicKey `json:"keys"`
}

// PublicKey is an Ed25519 key as a JSON Web Key (RFC 8037).
type PublicKey struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
}

// PublicKeys is what verifies our access tokens, the key that signs first. It is empty where a secret signs.
func (s *Service) PublicKeys() KeySet {
	set := KeySet{Keys: []PublicKey{}}
	for _, key := range s.cfg.SigningKeys {
		public := publicHalf(key)
		set.Keys = append(set.Keys, PublicKey{Type: "OKP", Curve: "Ed25519", X: encodeKey(public), ID: keyID(public), Use: "sig", Alg: "EdDSA"})
	}
	return set
}

func verificationKeys(keys []ed25519.PrivateKey) map[string]ed25519.PublicKey {
	byID := make(map[string]ed25519.PublicKey, len(keys))
	for _, key := range keys {
		public := publicHalf(key)
		byID[keyID(public)] = public
	}
	return byID
}

// publicHalf is the second half of a private key (RFC 8032).
func publicHalf(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}

// keyID is the key's thumbprint (RFC 7638), so that replicas agree on it without being told.
func keyID(key ed25519.PublicKey) string {
	hash := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + encodeKey(key) + `"}`))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func encodeKey(key ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(key) }
