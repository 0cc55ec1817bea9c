package authhttp

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// LoginFactor answers POST /api/auth/jwt/login/factor: the answer of the login that wanted a second factor.
func (h *Handlers) LoginFactor(c echo.Context) error {
	challenge, shown, err := h.answered(c)
	if err != nil {
		return err
	}
	token, err := h.auth.AnswerToken(c.Request().Context(), challenge, shown, h.client(c))
	if err != nil {
		return err
	}
	return h.replyToken(c, token)
}

// CookieLoginFactor answers POST /api/auth/cookie/login/factor likewise: 204 and the cookie.
func (h *Handlers) CookieLoginFactor(c echo.Context) error {
	challenge, shown, err := h.answered(c)
	if err != nil {
		return err
	}
	value, expires, err := h.auth.AnswerBrowser(c.Request().Context(), challenge, shown, h.client(c))
	if err != nil {
		return err
	}
	return h.welcome(c, value, expires)
}

func (h *Handlers) answered(c echo.Context) (challenge string, shown auth.Shown, err error) {
	sent, answer, err := passkeyBody(c)
	if err != nil {
		return "", auth.Shown{}, err
	}
	challenge, _ = sent.String("challenge", true)
	shown, err = shownIn(sent, answer)
	return challenge, shown, err
}

// AskLoginFactor answers POST /api/auth/login/factor/passkey, for a challenge that is open, with what the browser is to be asked.
func (h *Handlers) AskLoginFactor(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	challenge, _ := sent.String("challenge", true)
	if err := sent.Err(); err != nil {
		return err
	}
	asked, err := h.opts.Factors.AskFactor(c.Request().Context(), challenge, h.client(c))
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, asked)
}

// BeginPasskeyLogin answers POST /api/auth/passkey/begin with what the browser is to be asked, and a cookie that it must bring back.
func (h *Handlers) BeginPasskeyLogin(c echo.Context) error {
	binding := rand.Text() + rand.Text()
	asked, err := h.opts.Factors.AskAnybody(c.Request().Context(), binding, h.client(c))
	if err != nil {
		return err
	}
	c.SetCookie(auth.NewStepCookie(auth.PasskeyCookie, h.opts.Secure, binding))
	return onlyCopy(c, http.StatusOK, asked)
}

// FinishPasskeyLogin answers POST /api/auth/passkey/finish: 204 and the cookie of a browser session.
func (h *Handlers) FinishPasskeyLogin(c echo.Context) error {
	sent, answer, err := passkeyBody(c)
	if err != nil {
		return err
	}
	if err := needAnswer(sent, answer); err != nil {
		return err
	}
	answer.Binding = auth.StepFrom(c.Request(), auth.PasskeyCookie, h.opts.Secure)
	in, err := h.opts.Factors.SignIn(c.Request().Context(), answer, h.client(c))
	if err != nil {
		return err
	}
	value, expires, err := h.auth.GrantBrowser(c.Request().Context(), in)
	if err != nil {
		return err
	}
	c.SetCookie(auth.ExpiredStepCookie(auth.PasskeyCookie, h.opts.Secure))
	return h.welcome(c, value, expires)
}

// StepUp answers POST /api/auth/step-up: 204 once the session's user has proved anew who they are.
func (h *Handlers) StepUp(c echo.Context) error {
	sent, answer, err := passkeyBody(c)
	if err != nil {
		return err
	}
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	password, typed := sent.String("password", false)
	if typed {
		err = firstOf(sent.Err(), func() error { return h.auth.StepUpPassword(c.Request().Context(), id, password, h.client(c)) })
	} else {
		var shown auth.Shown
		if shown, err = shownIn(sent, answer); err == nil {
			err = h.auth.StepUpFactor(c.Request().Context(), id, shown, h.client(c))
		}
	}
	return done(c, err)
}

func firstOf(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// AskStepUp answers POST /api/auth/step-up/passkey with what the browser is to be asked.
func (h *Handlers) AskStepUp(c echo.Context) error {
	return serve(c, h.inSession, h.opts.Factors.AskAgain, onlyCopy, http.StatusOK)
}

// shownIn reads one of code, recovery_code, and ceremony with credential.
func shownIn(sent *body.Object, answer auth.PasskeyAnswer) (auth.Shown, error) {
	code, byCode := sent.String("code", false)
	recovery, byRecovery := sent.String("recovery_code", false)
	byPasskey := sent.Given("ceremony") || sent.Given("credential")
	switch {
	case byPasskey && !byCode && !byRecovery:
		return auth.Shown{Passkey: answer}, needAnswer(sent, answer)
	case byPasskey || byCode == byRecovery:
		sent.Fault(problem.Field{
			Type: "value_error", Loc: []any{"body"}, Msg: "Send one of code, recovery_code, and ceremony together with credential.",
			Ctx: map[string]any{"reason": "one second factor is wanted"},
		})
	}
	return auth.Shown{Code: code, Recovery: recovery}, sent.Err()
}

// passkeyBody reads a JSON object that may hold a browser's answer, in the member credential.
func passkeyBody(c echo.Context) (*body.Object, auth.PasskeyAnswer, error) {
	r := c.Request()
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data), failing{err}))
	sent, err := body.JSON(r, maxBody)
	if err != nil {
		return nil, auth.PasskeyAnswer{}, err
	}
	var raw struct {
		Ceremony   string          `json:"ceremony"`
		Credential json.RawMessage `json:"credential"`
	}
	if json.Unmarshal(data, &raw) != nil {
		return sent, auth.PasskeyAnswer{}, nil // to be found missing
	}
	return sent, auth.PasskeyAnswer{Ceremony: raw.Ceremony, Credential: raw.Credential}, nil
}

// failing gives the error with which reading ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// needAnswer finds fault with a passkey's answer that is not there.
func needAnswer(sent *body.Object, answer auth.PasskeyAnswer) error {
	sent.String("ceremony", true)
	if len(answer.Credential) == 0 || answer.Credential[0] != '{' {
		sent.Fault(problem.Field{Type: "missing", Loc: []any{"body", "credential"}, Msg: "Field required"})
	}
	return sent.Err()
}
