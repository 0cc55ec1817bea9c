package app

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/tenancy/teamhttp"
	"github.com/openhands-saas/openhands-saas/web"
)

// routes are all that is ours, on one page. What is not here goes to the proxy, whose table is proxy/agentserver/routes.go.
func (a *App) routes(e *echo.Echo, accounts *authhttp.Handlers, teams *teamhttp.Handlers, pages *web.Pages) {
	contractRoutes(e, accounts, a.ownHost)
	sessionRoutes(e, accounts)
	factorRoutes(e, accounts)
	keyRoutes(e, accounts)
	a.issuerRoutes(e, accounts)
	teamRoutes(e, teams, a.ownHostUnlessKey)
	adminRoutes(e, accounts, teams)
	signInPages(e, pages, a.ownHost)
	accountPages(e, pages)
	adminPages(e, pages)

	// For machines that watch us.
	e.GET("/healthz", a.healthz)
	e.GET("/readyz", a.readyz)
	e.GET("/alive", a.healthz)
	e.GET("/health", a.healthz)
	e.GET("/ready", a.readyz)
}

// contractRoutes are accounts in the contract of FastAPI-Users.
func contractRoutes(e *echo.Echo, accounts *authhttp.Handlers, ownHost echo.MiddlewareFunc) {
	e.POST("/api/auth/register", accounts.Register, ownHost)
	e.POST("/api/auth/register-with-team", accounts.RegisterWithTeam, ownHost)
	e.POST("/api/auth/jwt/login", accounts.Login)
	e.POST("/api/auth/jwt/logout", accounts.Logout)
	e.POST("/api/auth/cookie/login", accounts.CookieLogin)
	e.POST("/api/auth/cookie/logout", accounts.CookieLogout)
	e.POST("/api/auth/logout", accounts.LogoutAny)
	e.POST("/api/auth/forgot-password", accounts.ForgotPassword)
	e.POST("/api/auth/reset-password", accounts.ResetPassword)
	e.POST("/api/auth/request-verify-token", accounts.RequestVerify)
	e.POST("/api/auth/verify", accounts.Verify)
	for _, users := range []string{"/api/users", "/api/auth/users"} {
		e.GET(users+"/me", accounts.Me)
		e.PATCH(users+"/me", accounts.UpdateMe)
		e.DELETE(users+"/me", accounts.DeleteUser) // to the contract, "me" is an id here
		e.GET(users+"/:user_id", accounts.GetUser)
		e.PATCH(users+"/:user_id", accounts.UpdateUser)
		e.DELETE(users+"/:user_id", accounts.DeleteUser)
	}
}

// sessionRoutes are sessions, tokens and one's own account, beyond that contract.
func sessionRoutes(e *echo.Echo, accounts *authhttp.Handlers) {
	e.POST("/api/auth/jwt/refresh", accounts.Refresh)
	e.GET("/api/auth/sessions", accounts.ListSessions)
	e.DELETE("/api/auth/sessions", accounts.EndSessions)
	e.DELETE("/api/auth/sessions/:session_id", accounts.EndSession)
	e.GET(keySetPath, accounts.KeySet)
	e.POST("/api/auth/account/delete", accounts.DeleteOwn)
	e.GET("/api/auth/account/export", accounts.ExportOwn)
}

// factorRoutes are second factors, and proving anew who one is.
func factorRoutes(e *echo.Echo, accounts *authhttp.Handlers) {
	e.POST("/api/auth/jwt/login/factor", accounts.LoginFactor)
	e.POST("/api/auth/cookie/login/factor", accounts.CookieLoginFactor)
	e.POST("/api/auth/login/factor/passkey", accounts.AskLoginFactor)
	e.POST("/api/auth/passkey/begin", accounts.BeginPasskeyLogin)
	e.POST("/api/auth/passkey/finish", accounts.FinishPasskeyLogin)
	e.POST("/api/auth/step-up", accounts.StepUp)
	e.POST("/api/auth/step-up/passkey", accounts.AskStepUp)
	e.GET("/api/auth/factors", accounts.ListFactors)
	e.POST("/api/auth/factors/totp", accounts.EnrolTOTP)
	e.POST("/api/auth/factors/totp/confirm", accounts.ConfirmTOTP)
	e.DELETE("/api/auth/factors/totp", accounts.RemoveTOTP)
	e.POST("/api/auth/factors/recovery-codes", accounts.NewRecoveryCodes)
	e.GET("/api/auth/factors/passkeys", accounts.ListPasskeys)
	e.POST("/api/auth/factors/passkeys/begin", accounts.BeginPasskey)
	e.POST("/api/auth/factors/passkeys/finish", accounts.FinishPasskey)
	e.PATCH("/api/auth/factors/passkeys/:passkey_id", accounts.RenamePasskey)
	e.DELETE("/api/auth/factors/passkeys/:passkey_id", accounts.RemovePasskey)
}

// keyRoutes are API keys of one's own, and the way to one for programs without a browser (RFC 8628).
func keyRoutes(e *echo.Echo, accounts *authhttp.Handlers) {
	both(e, http.MethodGet, "/api/keys", accounts.ListKeys)
	both(e, http.MethodPost, "/api/keys", accounts.CreateKey)
	both(e, http.MethodGet, "/api/keys/current", accounts.CurrentKey)
	both(e, http.MethodGet, "/api/keys/:key_id", accounts.GetKey)
	both(e, http.MethodPatch, "/api/keys/:key_id", accounts.UpdateKey)
	both(e, http.MethodDelete, "/api/keys/:key_id", accounts.RevokeKey)
	both(e, http.MethodPost, "/api/keys/:key_id/rotate", accounts.RotateKey)

	e.POST("/api/auth/device/code", accounts.DeviceCode)
	e.POST("/api/auth/device/token", accounts.DeviceToken)
	e.POST("/oauth/device/authorize", accounts.DeviceCode) // the paths that OpenHands' own clients ask
	e.POST("/oauth/device/token", accounts.DeviceToken)
}

// issuerRoutes are for signing in by other issuers, each by its name.
func (a *App) issuerRoutes(e *echo.Echo, accounts *authhttp.Handlers) {
	for _, provider := range a.oidc.Choices() {
		e.GET("/api/auth/"+provider.Name+"/authorize", accounts.Authorize(provider.Name))
		e.GET("/api/auth/"+provider.Name+"/login", accounts.Authorize(provider.Name))
		e.GET("/api/auth/"+provider.Name+"/callback", accounts.Callback(provider.Name))
	}
}

// teamRoutes are about teams. Both forms of each path answer, without a redirect. Their settings, secrets and profiles are in
// teamScope.
func teamRoutes(e *echo.Echo, teams *teamhttp.Handlers, ownHostUnlessKey echo.MiddlewareFunc) {
	both(e, http.MethodGet, "/api/teams", teams.List, ownHostUnlessKey)
	both(e, http.MethodPost, "/api/teams", teams.Create, ownHostUnlessKey)
	both(e, http.MethodGet, "/api/teams/:team_id", teams.Get, ownHostUnlessKey)
	both(e, http.MethodPost, "/api/teams/:team_id/switch", teams.Switch, ownHostUnlessKey)
	both(e, http.MethodPost, "/api/teams/:team_id/members", teams.AddMember, ownHostUnlessKey)
	both(e, http.MethodGet, "/api/teams/:team_id/policy", teams.Policy, ownHostUnlessKey)
	both(e, http.MethodPut, "/api/teams/:team_id/policy", teams.SetPolicy, ownHostUnlessKey)
	both(e, http.MethodGet, "/api/teams/:team_id/entries", teams.Entries, ownHostUnlessKey)

	// Accounts of a team without a person, and their keys.
	const services = "/api/teams/:team_id/service-accounts"
	both(e, http.MethodGet, services, teams.ListServiceAccounts, ownHostUnlessKey)
	both(e, http.MethodPost, services, teams.CreateServiceAccount, ownHostUnlessKey)
	both(e, http.MethodDelete, services+"/:account_id", teams.DeleteServiceAccount, ownHostUnlessKey)
	both(e, http.MethodGet, services+"/:account_id/keys", teams.ListServiceKeys, ownHostUnlessKey)
	both(e, http.MethodPost, services+"/:account_id/keys", teams.CreateServiceKey, ownHostUnlessKey)
	both(e, http.MethodDelete, services+"/:account_id/keys/:key_id", teams.RevokeServiceKey, ownHostUnlessKey)
	both(e, http.MethodPost, services+"/:account_id/keys/:key_id/rotate", teams.RotateServiceKey, ownHostUnlessKey)
}

// adminRoutes are the installation, for superusers.
func adminRoutes(e *echo.Echo, accounts *authhttp.Handlers, teams *teamhttp.Handlers) {
	both(e, http.MethodGet, "/api/admin/users", accounts.ListUsers)
	both(e, http.MethodPost, "/api/admin/users", accounts.CreateUser)
	both(e, http.MethodGet, "/api/admin/users/:user_id", accounts.GetAccount)
	both(e, http.MethodPatch, "/api/admin/users/:user_id", accounts.UpdateAccount)
	both(e, http.MethodDelete, "/api/admin/users/:user_id", accounts.DeleteAccount)
	both(e, http.MethodPost, "/api/admin/users/:user_id/suspend", accounts.SuspendAccount)
	both(e, http.MethodPost, "/api/admin/users/:user_id/reactivate", accounts.ReactivateAccount)
	both(e, http.MethodPost, "/api/admin/users/:user_id/verify", accounts.VerifyAccount)
	both(e, http.MethodPost, "/api/admin/users/:user_id/setup-link", accounts.SetupLink)
	both(e, http.MethodPost, "/api/admin/teams/:team_id/enter", teams.Enter)
	both(e, http.MethodDelete, "/api/admin/teams/:team_id/enter", teams.Leave)
}

// signInPages are for people on their way in and out.
func signInPages(e *echo.Echo, pages *web.Pages, ownHost echo.MiddlewareFunc) {
	e.GET("/account/login", pages.LoginPage)
	e.POST("/account/login", pages.Login)
	e.GET("/account/register", pages.RegisterPage)
	e.POST("/account/register", pages.Register, ownHost)
	e.GET("/account/forgot", pages.ForgotPage)
	e.POST("/account/forgot", pages.Forgot)
	e.GET("/account/reset/:token", pages.ResetPage)
	e.POST("/account/reset/:token", pages.Reset)
	e.GET("/account/verify", pages.UnverifiedPage)
	e.POST("/account/verify", pages.Unverified)
	e.GET("/account/verify/:token", pages.VerifyPage)
	e.POST("/account/verify/:token", pages.Verify)
	e.GET("/account/revert/:token", pages.RevertPage)
	e.POST("/account/revert/:token", pages.Revert)
	e.GET("/account/sign-in/:provider", pages.SignInBy)
	e.GET("/account/setup/:token", pages.SetupPage)
	e.POST("/account/setup/:token", pages.Setup)
	e.POST("/account/logout", pages.Logout)
	e.GET("/account/factor", pages.FactorPage)
	e.POST("/account/factor", pages.Factor)
	e.POST("/account/factor/passkey", pages.AskFactor)
	e.GET("/account/passkey", pages.PasskeyPage)
	e.POST("/account/passkey", pages.Passkey)
}

// accountPages are for people who are signed in.
func accountPages(e *echo.Echo, pages *web.Pages) {
	both(e, http.MethodGet, "/account", pages.AccountPage)
	e.GET("/account/identities", pages.IdentitiesPage)
	e.POST("/account/identities/link", pages.LinkIdentity)
	e.POST("/account/identities/unlink", pages.UnlinkIdentity)
	e.GET("/account/delete", pages.DeletePage)
	e.POST("/account/delete", pages.Delete)
	e.GET("/account/export", pages.Export)
	e.POST("/account/team", pages.SwitchTeam)
	e.GET("/account/step-up", pages.StepUpPage)
	e.POST("/account/step-up", pages.StepUp)
	e.GET("/account/security", pages.SecurityPage)
	e.POST("/account/security/totp", pages.Enrol)
	e.POST("/account/security/totp/confirm", pages.ConfirmEnrolment)
	e.POST("/account/security/totp/remove", pages.RemoveEnrolment)
	e.POST("/account/security/recovery-codes", pages.RenewCodes)
	e.POST("/account/security/passkeys", pages.AddPasskey)
	e.POST("/account/security/passkeys/change", pages.ChangePasskey)
	e.GET("/account/device", pages.DevicePage)
	e.POST("/account/device", pages.Device)
	e.GET("/account/sessions", pages.SessionsPage)
	e.POST("/account/sessions", pages.EndSessions)
	e.GET("/account/keys", pages.KeysPage)
	e.POST("/account/keys", pages.ChangeKeys)
	e.GET("/account/assets/*", pages.Asset)
}

// adminPages are for superusers.
func adminPages(e *echo.Echo, pages *web.Pages) {
	both(e, http.MethodGet, "/account/admin", pages.AdminPage)
	e.POST("/account/admin", pages.AdminCreate)
	e.GET("/account/admin/users/:user_id", pages.AdminUserPage)
	e.POST("/account/admin/users/:user_id", pages.AdminUser)
	e.GET("/account/admin/users/:user_id/delete", pages.AdminDeletePage)
	e.POST("/account/admin/users/:user_id/delete", pages.AdminDelete)
	e.GET("/account/admin/mail", pages.AdminMailPage)
	e.GET("/account/admin/bans", pages.AdminBansPage)
	e.POST("/account/admin/bans", pages.AdminBans)
}

// both registers a path with and without a trailing slash.
func both(e *echo.Echo, method, path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) {
	e.Add(method, path, h, m...)
	e.Add(method, path+"/", h, m...)
}
