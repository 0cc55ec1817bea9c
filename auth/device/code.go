package device

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

// alphabet has no vowels, so that no word comes about, and no digits, which look like letters.
const alphabet = "BCDFGHJKLMNPQRSTVWXZ"

const (
	userLength   = 8  // 34 bits: some tries in ten minutes find none of them
	deviceLength = 52 // twice rand.Text
)

// newUserCode draws what a person types, as it is shown: WDJB-MJHT.
func newUserCode() string {
	var code strings.Builder
	for drawn := make([]byte, 1); code.Len() < userLength; {
		_, _ = rand.Read(drawn) // never fails
		if int(drawn[0]) < 256/len(alphabet)*len(alphabet) {
			code.WriteByte(alphabet[int(drawn[0])%len(alphabet)])
		}
	}
	text := code.String()
	return text[:userLength/2] + "-" + text[userLength/2:]
}

// foldUserCode reads a code however it was typed; "" when it can be none.
func foldUserCode(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-. \t\u2010\u2011\u2013", r) {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	if len(code) != userLength || strings.Trim(code, alphabet) != "" {
		return ""
	}
	return code
}

// ShowUserCode gives a code that was typed in the form in which it is shown; other text gives "".
func ShowUserCode(typed string) string {
	code := foldUserCode(typed)
	if code == "" {
		return ""
	}
	return code[:userLength/2] + "-" + code[userLength/2:]
}

func (s *Service) hashUser(folded string) []byte {
	mac := hmac.New(sha256.New, s.cfg.Secret)
	mac.Write([]byte("device user code " + folded))
	return mac.Sum(nil)
}

func hashDevice(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}
