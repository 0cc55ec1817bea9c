package config_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func inPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func ed25519Key(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSigningKeysKeepTheirOrder(t *testing.T) {
	t.Parallel()
	first, second := ed25519Key(t), ed25519Key(t)
	c := mustLoad(t, good("JWT_PRIVATE_KEY="+inPEM(t, first)+"\n"+inPEM(t, second)+"\n")...)
	keys, err := c.SigningKeys()
	if err != nil || len(keys) != 2 || !keys[0].Equal(first) || !keys[1].Equal(second) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if keys, err := mustLoad(t, good()...).SigningKeys(); len(keys) != 0 || err != nil {
		t.Errorf("without: %d keys, %v", len(keys), err)
	}
}

func TestWhatIsNoSigningKeyIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	fine := inPEM(t, ed25519Key(t))
	for name, text := range map[string]string{
		"another kind of key":   inPEM(t, curve),
		"a good and a bad one":  fine + inPEM(t, curve),
		"something after a key": fine + "MC4CAQAwBQYDK2VwBCIEI",
		"half a key":            fine[:len(fine)/2],
	} {
		_, err := load(t, good("JWT_PRIVATE_KEY="+text)...)
		if err == nil || !strings.Contains(err.Error(), "openssl genpkey -algorithm ed25519") || strings.Contains(err.Error(), "MC4CAQ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
