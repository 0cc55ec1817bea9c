package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
)

// The form of a key: the mark by which scanners of leaked secrets find it, 178 random bits, and a checksum that tells a key from
// what only looks like one. All behind the mark is letters and digits.
const (
	mark        = "oh_"
	randomChars = 30
	sumChars    = 6
	keyLength   = len(mark) + randomChars + sumChars
	base        = 62
	shownChars  = 10 // of the mark and the random part: enough to know a key again, and far too few to guess it
)

// generate makes a new key.
func generate() (string, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(base), big.NewInt(randomChars), nil))
	if err != nil {
		return "", fmt.Errorf("draw a key: %w", err)
	}
	key := mark + padded(n, randomChars)
	return key + checksum(key), nil
}

func checksum(body string) string {
	return padded(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), sumChars)
}

func padded(n *big.Int, width int) string {
	digits := n.Text(base)
	return strings.Repeat("0", width-len(digits)) + digits
}

// Plausible says, without asking anybody, whether a token has the form of a key: mark, length and checksum.
func (s *Service) Plausible(token string) bool { return Plausible(token) }

// Plausible is what a scanner of leaked secrets may ask, too.
func Plausible(token string) bool {
	if len(token) != keyLength || !strings.HasPrefix(token, mark) || strings.ContainsFunc(token[len(mark):], strange) {
		return false
	}
	return checksum(token[:keyLength-sumChars]) == token[keyLength-sumChars:]
}

func strange(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// hashed is what is kept of a key. It has too much chance in it to need a slow hash.
func hashed(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
