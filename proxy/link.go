package proxy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// A link lives for twice this time at most, and for this time at least. Within it the link of one session to one conversation
// stays the same, so that a browser may keep what it loaded.
const linkStep = 5 * time.Minute

// link is what the first segment of a path on the content origin says: which conversation's files are shown, and whose right
// counts. It grants nothing by itself: the session, the role and the conversation are judged again on every request.
type link struct {
	conversation  uuid.UUID
	user, session uuid.UUID // both nil: anonymous
	expires       time.Time
}

// The form of a link: when it ends and the three ids, encrypted, so that the page and who sees its address learn nothing of them;
// behind it as much of their signature as cannot be guessed, by which they are encrypted. Its text has one spelling.
const (
	linkSaid = 8 + 3*16
	linkSize = linkSaid + 16
)

// links signs links and reads them. A nil links knows none.
type links struct {
	ContentConfig
	now func() time.Time
}

func newLinks(cfg Config) *links {
	if cfg.Content == nil {
		return nil
	}
	return &links{ContentConfig: *cfg.Content, now: cfg.Now}
}

func (c *ContentConfig) check() (faults []error) {
	if c == nil {
		return nil
	}
	if _, ok := canonicalOrigin(c.Origin); !ok {
		faults = append(faults, errors.New("the content origin must be http(s)://host[:port]"))
	}
	if len(c.Key) < leastKey {
		faults = append(faults, fmt.Errorf("the key of links has %d bytes: give it %d", len(c.Key), leastKey))
	}
	return faults
}

// sign makes the text of a new link. False for a caller whom nobody could be asked about again: without a session.
func (k *links) sign(conversation uuid.UUID, p *access.Principal) (string, bool) {
	if !p.Anonymous && (p.User == uuid.Nil || p.Session == uuid.Nil) {
		return "", false
	}
	raw := make([]byte, 0, linkSize)
	raw = binary.BigEndian.AppendUint64(raw, uint64(k.now().Truncate(linkStep).Add(2*linkStep).Unix()))
	raw = append(raw, conversation[:]...)
	raw = append(raw, p.User[:]...)
	raw = append(raw, p.Session[:]...)
	sum := k.mac(raw)
	k.cover(raw, sum)
	return base64.RawURLEncoding.EncodeToString(append(raw, sum...)), true
}

// mac is the signature, and the beginning of the key stream: the same link is the same text, and two links share no stream.
func (k *links) mac(said []byte) []byte {
	h := hmac.New(sha256.New, k.derived("sign"))
	h.Write(said)
	return h.Sum(nil)[:linkSize-linkSaid]
}

// cover encrypts what is in clear, and the other way round.
func (k *links) cover(said, sum []byte) {
	block, err := aes.NewCipher(k.derived("cover"))
	if err != nil {
		panic(err) // a key of 32 bytes is one
	}
	cipher.NewCTR(block, sum).XORKeyStream(said, said)
}

// derived is a key of 32 bytes for one use of the link's.
func (k *links) derived(use string) []byte {
	h := hmac.New(sha256.New, k.Key)
	h.Write([]byte(use))
	return h.Sum(nil)
}

// read returns what a link says that we signed, also one that is over.
func (k *links) read(text string) (link, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(linkSize) {
		return link{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != linkSize {
		return link{}, false
	}
	k.cover(raw[:linkSaid], raw[linkSaid:])
	if !hmac.Equal(raw[linkSaid:], k.mac(raw[:linkSaid])) {
		return link{}, false
	}
	return link{
		expires:      time.Unix(int64(binary.BigEndian.Uint64(raw)), 0),
		conversation: uuid.UUID(raw[8:24]), user: uuid.UUID(raw[24:40]), session: uuid.UUID(raw[40:56]),
	}, true
}
