package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// texts say in words what the contract's codes mean, and what to do.
var texts = map[string]string{
	"LOGIN_BAD_CREDENTIALS":        "This address and password do not belong together. Check both and try again.",
	"LOGIN_USER_NOT_VERIFIED":      "This address is not verified yet. Open the link in the mail that we sent you.",
	"REGISTER_USER_ALREADY_EXISTS": "There is an account with this address already. Sign in instead.",
	"RESET_PASSWORD_BAD_TOKEN":     "This link was used, has run out, or there is a newer password. Ask for another link.",
	"VERIFY_USER_BAD_TOKEN":        "This link has run out, or your account has another address by now. Have another mail sent.",
	"VERIFY_USER_ALREADY_VERIFIED": "This address is verified already. You can sign in.",
	"REGISTRATION_REFUSED":         "You cannot make an account here. Ask an administrator for one.",
	"DEVICE_CODE_UNKNOWN":          "There is no such code, or it has run out. Compare it with your device, or begin anew there.",
	"ACCESS_TOKEN_DECODE_ERROR":    "This way back does not belong to any sign-in here. Start again.",
	"ACCESS_TOKEN_ALREADY_EXPIRED": "That took too long. Start again.",
	"OAUTH_INVALID_STATE":          "This sign-in was begun in another browser, begun again since, or is finished. Start again.",
	"OAUTH_NOT_AVAILABLE_EMAIL":    "We were told no e-mail address that an account could have. Give your account there one, and let us read it.",
	"OAUTH_USER_ALREADY_EXISTS":    "There is an account with this address already. Sign in to it as you did before, then link this way to sign in on the page of your account.",
	"access_denied":                "You did not allow it there, so nobody was signed in.",
	"LOGIN_BAD_SECOND_FACTOR":      "That was not right, or was used before. Try again, with the code that the app shows now.",
	"LOGIN_BAD_CHALLENGE":          "This sign-in took too long, was finished, or had too many wrong answers. Start again.",
	"STEP_UP_REQUIRED":             "Confirm first that it is you: your last sign-in is too long ago for this.",
	"STEP_UP_NEEDS_SECOND_FACTOR":  "You have a second factor: show that.",
	"EMAIL_DOMAIN_NOT_ALLOWED":     "Addresses of this domain make no accounts here by themselves. Use your work address, or ask an administrator.",
	"REGISTRATION_CLOSED":          "Registration is not open here. Ask an administrator for an account.",
}

// inputs are the fields that the forms have.
var inputs = []string{"email", "password", "name", "team_name"}

// again shows the form once more with what went wrong, under the status that the API would give.
func (p *Pages) again(c echo.Context, page string, v view, err error) error {
	fault := problem.Of(err)
	if fault.Status >= http.StatusInternalServerError {
		p.cfg.Log.ErrorContext(c.Request().Context(), "account page", "page", page, "error", err)
	}
	v.Faults, v.Fields = explain(fault)
	v.Resend = fault.Detail == "LOGIN_USER_NOT_VERIFIED" || fault.Detail == "VERIFY_USER_BAD_TOKEN"
	v.Reask = fault.Detail == "RESET_PASSWORD_BAD_TOKEN"
	if fault.RetryAfter > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int((fault.RetryAfter+time.Second-1)/time.Second)))
	}
	return p.render(c, fault.Status, page, v)
}

// explain turns a problem into sentences for the whole form and for single fields.
func explain(fault *problem.Error) (whole []string, fields map[string]string) {
	fields = map[string]string{}
	switch detail := fault.Detail.(type) {
	case string:
		return []string{sentence(detail)}, fields
	case []problem.Field:
		for _, f := range detail {
			if name := fieldName(f.Loc); name != "" {
				fields[name] = plain(f.Msg)
			} else {
				whole = append(whole, plain(f.Msg))
			}
		}
	default:
		return explainCode(detail)
	}
	return whole, fields
}

// explainCode reads {"code", "reason"}: all that come this way concern the password.
func explainCode(detail any) (whole []string, fields map[string]string) {
	object, _ := detail.(map[string]any)
	if words, isMap := detail.(map[string]string); isMap {
		object = map[string]any{"code": words["code"], "reason": words["reason"]}
	}
	if reason, ok := object["reason"].(string); ok && reason != "" {
		return nil, map[string]string{"password": reason}
	}
	code, _ := object["code"].(string)
	return []string{sentence(code)}, map[string]string{}
}

// plain cuts off what validators put before their sentences for programs.
func plain(message string) string {
	for _, prefix := range []string{"Value error: ", "Value error, ", "value is not a valid email address: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	return message
}

// sentence gives the words for a code; what is no code is a sentence already.
func sentence(detail string) string {
	if text, known := texts[detail]; known {
		return text
	}
	if detail == "" {
		return "That did not work. Try again."
	}
	return detail
}

// fieldName finds the field that a fault is about: the last step of its place, where it is one that the forms have.
func fieldName(loc []any) string {
	if len(loc) == 0 {
		return ""
	}
	name, _ := loc[len(loc)-1].(string)
	if name == "username" {
		name = "email"
	}
	if !slices.Contains(inputs, name) {
		return ""
	}
	return name
}
