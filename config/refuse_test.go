package config_test

import (
	"strings"
	"testing"
)

func TestBadValuesAreRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	secret := "JWT_SECRET=" + strings.Repeat("ab", 20)
	for _, test := range []struct{ environ, name, text string }{
		{"PORT=70000", "PORT", "0 to 65535"},
		{"HOST=http://x", "HOST", "without port"},
		{"HOST=1.2.3.4:80", "HOST", "without port"},
		{"ADMIN_LISTEN=9091", "ADMIN_LISTEN", "127.0.0.1:9091"},
		{"ADMIN_LISTEN=:9091", "ADMIN_LISTEN", "0.0.0.0:9091 for every interface"},
		{"ADMIN_LISTEN=http://127.0.0.1:9091", "ADMIN_LISTEN", "127.0.0.1:9091"},
		{"ADMIN_LISTEN=127.0.0.1:70000", "ADMIN_LISTEN", "0 to 65535"},
		{"ADMIN_LISTEN=127.0.0.1:http", "ADMIN_LISTEN", "0 to 65535"},
		{"ADMIN_LISTEN=run/admin.sock", "ADMIN_LISTEN", "absolute path"},
		{"ADMIN_LISTEN=/run/../admin.sock", "ADMIN_LISTEN", "absolute path"},
		{"ADMIN_LISTEN=/" + strings.Repeat("a", 103), "ADMIN_LISTEN", "at most 103"},
		{"LIMIT_REQUESTS_PER_USER=-1", "LIMIT_REQUESTS_PER_USER", "0 to 100000"},
		{"LIMIT_STARTS_PER_MINUTE=many", "LIMIT_STARTS_PER_MINUTE", "whole number"},
		{"PUBLIC_URL=example.com", "PUBLIC_URL", "https://example.com"},
		{"PUBLIC_URL=https://example.com/base", "PUBLIC_URL", "without a path"},
		{"PUBLIC_URL=https://u:p@example.com", "PUBLIC_URL", "take user name"},
		{"PUBLIC_URL=https://example.com?x=1", "PUBLIC_URL", "query"},
		{"PUBLIC_URL=https://example.com:0", "PUBLIC_URL", "port"},
		{"PUBLIC_URL=https://example.com:", "PUBLIC_URL", "port"},
		{"CONTENT_URL=content.example.com", "CONTENT_URL", "https://example.com"},
		{"CONTENT_URL=https://content.example.com/pages", "CONTENT_URL", "without a path"},
		{"CONTENT_URL=https://u:p@content.example.com", "CONTENT_URL", "take user name"},
		{"CONTENT_URL=ftp://content.example.com", "CONTENT_URL", "https://example.com"},
		{"DB_CONNECTION=mysql", "DB_CONNECTION", "pgsql, embedded"},
		{"DB_CONNECTION=pgsql", "DB_HOST", "set it"},
		{"DB_PORT=5433", "DB_PORT", "embedded"},
		{"DB_CONNECTION=embedded\nDB_HOST=db", "DB_HOST", "embedded"},
		{"DATABASE_URL=host=db user=x", "DATABASE_URL", "postgres://"},
		{"DATABASE_URL=mysql://u:p@h/d", "DATABASE_URL", "postgres://"},
		{"DATABASE_URL=postgres://u:p@h/d?sslmode=maybe", "DATABASE_URL", "sslmode"},
		{"DATABASE_URL=postgres://u:p@h/d\nDB_HOST=db\n" + secret, "DB_HOST", "keep one"},
		{"DATABASE_URL=postgres://u:p@h/d?sslmode=require\nDB_SSLMODE=disable\n" + secret, "DB_SSLMODE", "keep one"},
		{"DB_HOST=db:5432\n" + secret + "\nDB_SSLMODE=none", "DB_SSLMODE", "verify-full"},
		{"DB_HOST=postgres://db\n" + secret, "DB_HOST", "without port"},
		{"DB_HOST=db", "JWT_SECRET", "openssl rand -base64 48"},
		{"DB_HOST=db\n" + secret, "VAULT_KEYSET", "openhands-saas vault keyset"},
		{"VAULT_KEYSET_FILE=/nonexistent", "VAULT_KEYSET_FILE", "no such file"},
		{"STORAGE_BACKEND=file", "STORAGE_BACKEND", "ANONYMOUS_MODE=passthrough"},
		{"FILE_STORE=s3", "FILE_STORE", "not available in this version: remove it"},
		{"FILE_STORE=ftp", "FILE_STORE", "local"},
		{"JWT_SECRET=short", "JWT_SECRET", "openssl rand -base64 48"},
		{"JWT_SECRET=SECRET_KEY_CHANGE_THIS_IN_PRODUCTION", "JWT_SECRET", "placeholder"},
		{"JWT_SECRET=your-secret-key-change-this-in-production", "JWT_SECRET", "placeholder"},
		{"JWT_SECRET=your-secret-key-change-this", "JWT_SECRET", "placeholder"},
		{"JWT_SECRET=" + strings.Repeat("a", 64), "JWT_SECRET", "openssl"},
		{"JWT_SECRET_PREVIOUS=short", "JWT_SECRET_PREVIOUS", "leave this one out"},
		{"JWT_LIFETIME=forever", "JWT_LIFETIME", "seconds"},
		{"JWT_LIFETIME=1", "JWT_LIFETIME", "1m"},
		{"SESSION_LIFETIME=1h\nSESSION_IDLE=2h", "SESSION_IDLE", "SESSION_LIFETIME"},
		{"REGISTRATION=yes", "REGISTRATION", "open, invite, closed"},
		{"ANONYMOUS_MODE=on", "ANONYMOUS_MODE", "passthrough"},
		{"SERVE_FRONTEND=true", "FRONTEND_DIR", "SERVE_FRONTEND=false"},
		{"SERVE_FRONTEND=maybe", "SERVE_FRONTEND", "true or false"},
		{"SERVE_FRONTEND=true\nFRONTEND_DIR=/nonexistent", "FRONTEND_DIR", "index.html"},
		{"UPSTREAM_URL=ftp://x", "UPSTREAM_URL", "https://"},
		{"UPSTREAM_API_KEY=short", "UPSTREAM_API_KEY", "16"},
		{"UPSTREAM_API_KEY=has a blank and is long", "UPSTREAM_API_KEY", "without blanks"},
		{`UPSTREAM_API_KEY=0123456789abcdef"`, "UPSTREAM_API_KEY", "could not be masked"},
		{`UPSTREAM_API_KEY=0123456789abcdef\`, "UPSTREAM_API_KEY", "could not be masked"},
		{"OPERATOR_LLM_MODEL=m\nOPERATOR_LLM_API_KEY=01234567\"", "OPERATOR_LLM_API_KEY", "could not be masked"},
		{"OPERATOR_LLM_MODEL=m\nOPERATOR_LLM_API_KEY=01234567\\", "OPERATOR_LLM_API_KEY", "could not be masked"},
		{"UPSTREAM_WORKSPACE_ROOT=relative/path", "UPSTREAM_WORKSPACE_ROOT", "absolute"},
		{"UPSTREAM_WORKSPACE_ROOT=/", "UPSTREAM_WORKSPACE_ROOT", "other than /"},
		{"UPSTREAM_WORKSPACE_ROOT=/srv/../etc", "UPSTREAM_WORKSPACE_ROOT", "absolute"},
		{"UPSTREAM_WORKSPACE_ROOT=/srv/ws/", "UPSTREAM_WORKSPACE_ROOT", "trailing"},
		{"UPSTREAM_WORKSPACE_MOUNT=/nonexistent", "UPSTREAM_WORKSPACE_MOUNT", "exists"},
		{"TRUSTED_PROXIES=10.1.2.3/8", "TRUSTED_PROXIES", "10.0.0.0/8"},
		{"TRUSTED_PROXIES=0.0.0.0/0", "TRUSTED_PROXIES", "every address"},
		{"TRUSTED_PROXIES=proxy.local", "TRUSTED_PROXIES", "10.0.0.0/8"},
		{"EGRESS_ALLOW=::ffff:10.0.0.0/104", "EGRESS_ALLOW", "own form"},
		{"OPERATOR_LLM_API_KEY=k", "OPERATOR_LLM_API_KEY", "OPERATOR_LLM_MODEL"},
		{"OPERATOR_LLM_BASE_URL=https://x.example.com/v1", "OPERATOR_LLM_BASE_URL", "OPERATOR_LLM_MODEL"},
		{"OPERATOR_LLM_MODEL=m", "OPERATOR_LLM_API_KEY", "set it"},
		{"OPERATOR_LLM_MODEL=m\nOPERATOR_LLM_API_KEY=none", "OPERATOR_LLM_API_KEY", "at least 8"},
		{"DB_POOL_SIZE=1", "DB_POOL_SIZE", "3 to 1000"},
		{"REQUIRE_VERIFIED=maybe", "REQUIRE_VERIFIED", "true or false"},
		{"ALLOWED_EMAIL_DOMAINS=example.com, @example.org", "ALLOWED_EMAIL_DOMAINS", "entry 2: write a whole domain"},
		{"ALLOWED_EMAIL_DOMAINS=*.example.com", "ALLOWED_EMAIL_DOMAINS", "without @ and *"},
		{"PASSWORD_BREACH_URL=example.com", "PASSWORD_BREACH_URL", "https://example.com"},
		{"REGISTRATION_HOOK_URL=https://u:p@example.com", "REGISTRATION_HOOK_URL", "take user name"},
		{"RATE_LIMITS=sometimes", "RATE_LIMITS", "true or false"},
		{"SECOND_FACTOR=on", "SECOND_FACTOR", "optional, superusers, owners, admins, all"},
		{"JWT_PRIVATE_KEY=0123456789", "JWT_PRIVATE_KEY", "openssl genpkey -algorithm ed25519"},
		{"SMTP_URL=smtp://mail.example.com", "MAIL_FROM", "set it"},
		{"SMTP_URL=mail.example.com:25\nMAIL_FROM=a@example.com", "SMTP_URL", "smtp://user:password@"},
		{"SMTP_URL=https://mail.example.com\nMAIL_FROM=a@example.com", "SMTP_URL", "begin with smtp://"},
		{"SMTP_URL=smtp+plain://mail.example.com\nMAIL_FROM=a@example.com", "SMTP_URL", "on this machine only"},
		{"MAIL_FROM=nobody", "MAIL_FROM", "OpenHands <openhands@example.com>"},
		{"GITHUB_CLIENT_ID=x", "GITHUB_CLIENT_SECRET", "set it, too"},
		{"GITHUB_CLIENT_SECRET=x", "GITHUB_CLIENT_ID", "set it, too"},
		{"PERMITTED_CORS_ORIGINS=https://a.example.com,https://b.example.com/x", "PERMITTED_CORS_ORIGINS", "entry 2: write scheme, host and port only"},
		{"PERMITTED_CORS_ORIGINS=*", "PERMITTED_CORS_ORIGINS", "entry 1: write a URL"},
	} {
		t.Run(strings.SplitN(test.environ, "=", 2)[0]+" "+test.text, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, good(strings.Split(test.environ, "\n")...)...)
			if got := problemsOf(t, err)[test.name]; !strings.Contains(got, test.text) {
				t.Errorf("%s: got %q in %v, want %q", test.name, got, err, test.text)
			}
		})
	}
}

func TestNamesOfLaterVersionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"FILE_STORE=s3"} {
		name, _, _ := strings.Cut(line, "=")
		if got := problemsOf(t, errOf(load(t, good(line)...)))[name]; !strings.Contains(got, "not available in this version: remove it") {
			t.Errorf("%s: %q", line, got)
		}
	}
}
