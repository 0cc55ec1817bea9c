package factor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// relyingParty is the one place that knows the library for passkeys. What was asked, and passkeys themselves, leave it as JSON.
type relyingParty struct {
	id  string // the host that passkeys are made for
	lib *webauthn.WebAuthn
}

// newRelyingParty takes the host of the public origin: browsers make passkeys for a name, on https or on this machine.
func newRelyingParty(publicURL, name string) (*relyingParty, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Hostname() == "" {
		return nil, noPasskeys("PUBLIC_URL is not set")
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil {
		return nil, noPasskeys("PUBLIC_URL names an IP address, and browsers make passkeys for host names only (on this machine, write http://localhost)")
	}
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if u.Scheme != "https" && !local {
		return nil, noPasskeys("PUBLIC_URL is not https")
	}
	if !local && !strings.Contains(host, ".") {
		return nil, noPasskeys("PUBLIC_URL names a host without a domain")
	}
	lib, err := webauthn.New(&webauthn.Config{RPID: host, RPDisplayName: name, RPOrigins: []string{u.Scheme + "://" + u.Host}})
	if err != nil {
		return nil, noPasskeys("PUBLIC_URL does not suit them").Because(err)
	}
	return &relyingParty{id: host, lib: lib}, nil
}

func noPasskeys(why string) *problem.Error {
	return problem.Newf(http.StatusServiceUnavailable, "Passkeys are not available here: %s. Ask the operator.", why)
}

// errNoMatch is the error of whatever a browser answered that proves nothing.
var errNoMatch = errors.New("the passkey's answer does not match what was asked")

// owner is a user as the library wants them. The handle is the user's id, which is no personal data.
type owner struct {
	id    uuid.UUID
	email string
	keys  []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return o.id[:] }
func (o owner) WebAuthnName() string                       { return o.email }
func (o owner) WebAuthnDisplayName() string                { return o.email }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.keys }

func newOwner(id uuid.UUID, email string, kept []json.RawMessage) (owner, error) {
	o := owner{id: id, email: email, keys: make([]webauthn.Credential, len(kept))}
	for n := range kept {
		if err := json.Unmarshal(kept[n], &o.keys[n]); err != nil {
			return owner{}, fmt.Errorf("read a passkey: %w", err)
		}
	}
	return o, nil
}

// askNew asks for a new passkey: one that its authenticator keeps, and that asks for a PIN, a finger or a face where it can.
func (rp *relyingParty) askNew(o owner) (options any, asked []byte, err error) {
	exclude := make([]protocol.CredentialDescriptor, len(o.keys))
	for n := range o.keys {
		exclude[n] = o.keys[n].Descriptor()
	}
	creation, session, err := rp.lib.BeginRegistration(o,
		webauthn.WithExclusions(exclude),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationPreferred,
		}))
	return packed(creation, session, err)
}

// checkNew returns the new passkey, as it is kept, and its id.
func (rp *relyingParty) checkNew(o owner, asked, answer []byte) (id []byte, kept json.RawMessage, err error) {
	session, parsed, err := readAnswer(asked, answer, protocol.ParseCredentialCreationResponseBytes)
	if err != nil {
		return nil, nil, err
	}
	made, err := rp.lib.CreateCredential(o, session, parsed)
	if err != nil {
		return nil, nil, errors.Join(errNoMatch, err)
	}
	if kept, err = json.Marshal(made); err != nil {
		return nil, nil, fmt.Errorf("keep a passkey: %w", err)
	}
	return made.ID, kept, nil
}

// ask asks a user who is known already for one of their passkeys.
func (rp *relyingParty) ask(o owner) (options any, asked []byte, err error) {
	assertion, session, err := rp.lib.BeginLogin(o, webauthn.WithUserVerification(protocol.VerificationPreferred))
	return packed(assertion, session, err)
}

// askAnybody asks whoever is there, who must prove themself to the authenticator: that makes two factors of one passkey.
func (rp *relyingParty) askAnybody() (options any, asked []byte, err error) {
	assertion, session, err := rp.lib.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	return packed(assertion, session, err)
}

// check judges an answer of a user who is known.
func (rp *relyingParty) check(o owner, asked, answer []byte) (id []byte, kept json.RawMessage, err error) {
	session, parsed, err := readAnswer(asked, answer, protocol.ParseCredentialRequestResponseBytes)
	if err != nil {
		return nil, nil, err
	}
	used, err := rp.lib.ValidateLogin(o, session, parsed)
	return judged(used, err)
}

// checkAnybody judges an answer of whoever was there. It must come from a user who was verified.
func (rp *relyingParty) checkAnybody(o owner, asked, answer []byte) (id []byte, kept json.RawMessage, err error) {
	session, parsed, err := readAnswer(asked, answer, protocol.ParseCredentialRequestResponseBytes)
	if err != nil {
		return nil, nil, err
	}
	_, used, err := rp.lib.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		if !bytes.Equal(handle, o.id[:]) {
			return nil, errNoMatch
		}
		return o, nil
	}, session, parsed)
	if err == nil && !parsed.Response.AuthenticatorData.Flags.HasUserVerified() {
		err = errNoMatch
	}
	return judged(used, err)
}

// readAnswer reads what was asked, and what was answered to it.
func readAnswer[Answer any](
	asked, answer []byte, parse func([]byte) (Answer, error),
) (session webauthn.SessionData, parsed Answer, err error) {
	if session, err = sessionOf(asked); err != nil {
		return session, parsed, err
	}
	if parsed, err = parse(answer); err != nil {
		return session, parsed, errors.Join(errNoMatch, err)
	}
	return session, parsed, nil
}

// handleOf is who an answer says it is from: nothing of it is proven yet.
func handleOf(answer []byte) (user uuid.UUID, err error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return uuid.Nil, errors.Join(errNoMatch, err)
	}
	if user, err = uuid.FromBytes(parsed.Response.UserHandle); err != nil {
		return uuid.Nil, errors.Join(errNoMatch, err)
	}
	return user, nil
}

// judged refuses a passkey whose counter went back: there are two of it.
func judged(used *webauthn.Credential, err error) (id []byte, kept json.RawMessage, _ error) {
	if err != nil {
		return nil, nil, errors.Join(errNoMatch, err)
	}
	if used.Authenticator.CloneWarning {
		return nil, nil, errors.Join(errNoMatch, errors.New("the signature counter of a passkey did not rise: it may have been copied"))
	}
	if kept, err = json.Marshal(used); err != nil {
		return nil, nil, fmt.Errorf("keep a passkey: %w", err)
	}
	return used.ID, kept, nil
}

func packed(options any, session *webauthn.SessionData, err error) (any, []byte, error) {
	if err != nil {
		return nil, nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	asked, err := json.Marshal(session)
	if err != nil {
		return nil, nil, fmt.Errorf("keep what a passkey was asked: %w", err)
	}
	return options, asked, nil
}

func sessionOf(asked []byte) (session webauthn.SessionData, err error) {
	if err = json.Unmarshal(asked, &session); err != nil {
		return session, fmt.Errorf("read what a passkey was asked: %w", err)
	}
	return session, nil
}
