package main

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/doctor"
)

func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the whole chain, from the configuration to a WebSocket, and say what to do",
		Long: "Examine the whole chain, from the configuration to a WebSocket through the public address, and say what to do.\n\n" +
			"Nothing is changed anywhere. A note is worth knowing; a problem makes the exit status 1. What only a user can prove, such as a conversation with an agent, `smoke` walks.",
		Args: cobra.NoArgs,
	}
	address := cmd.Flags().String("url", "", "the address that people use (default PUBLIC_URL, when something answers there)")
	insecure := cmd.Flags().Bool("insecure", false, "accept any TLS certificate at that address")
	s := addSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *address != "" && !isOrigin(*address) {
			return errors.New("--url: write the server's origin, such as https://example.com")
		}
		cfg, err := s.load(config.ForServe)
		problems, _ := errors.AsType[config.Problems](err)
		installation := installationOf(cfg, problems)
		if *address != "" {
			installation.Public = &doctor.Public{URL: strings.TrimRight(*address, "/"), Asked: true, Insecure: *insecure}
			if sound(problems, "PUBLIC_URL", "TRUSTED_PROXIES") {
				installation.Public.PublicURL, installation.Public.Proxies = cfg.PublicURL, len(cfg.TrustedProxies) > 0
			}
		} else if installation.Public != nil {
			installation.Public.Insecure = *insecure
		}
		return doctor.Run(cmd.Context(), installation, cmd.OutOrStdout())
	}
	return cmd
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && strings.Trim(u.Path, "/") == "" && u.User == nil && u.RawQuery == ""
}

// installationOf gives the doctor each part whose settings are in order.
func installationOf(cfg *config.Config, problems config.Problems) doctor.Config {
	c := doctor.Config{
		Notices: cfg.Notices,
		Secrets: []string{
			cfg.UpstreamAPIKey.Reveal(), cfg.OperatorLLMAPIKey.Reveal(), cfg.JWTSecret.Reveal(), cfg.DBPassword.Reveal(), cfg.DatabaseURL.Reveal(),
			cfg.VaultKeyset.Reveal(),
		},
	}
	for _, p := range problems {
		c.Problems = append(c.Problems, p.String())
	}
	if err := keptSecret(cfg); err != nil {
		c.Problems = append(c.Problems, err.Error())
	}
	if sound(problems, "DB_", "DATABASE_URL", "DATA_DIR") {
		c.Database = &doctor.Database{URL: cfg.DatabaseURL.Reveal(), DataDir: cfg.DataDir, Name: app.DatabaseName}
	}
	if sound(problems, "VAULT_", "DATA_DIR") {
		c.Vault = &doctor.Vault{Text: cfg.VaultKeyset.Reveal(), File: app.KeysetFile(cfg)}
	}
	if sound(problems, "UPSTREAM_") {
		c.Upstream = &doctor.Upstream{
			URL: cfg.UpstreamURL, Key: cfg.UpstreamAPIKey.Reveal(), WorkspaceRoot: cfg.UpstreamWorkspaceRoot, WorkspaceMount: cfg.UpstreamWorkspaceMount,
		}
	}
	if sound(problems, "SERVE_FRONTEND", "FRONTEND_DIR") {
		c.Frontend = &doctor.Frontend{}
		if cfg.ServeFrontend {
			c.Frontend.Dir = cfg.FrontendDir
		}
	}
	if sound(problems, "OPERATOR_LLM_") {
		c.Model = &doctor.Model{Name: cfg.OperatorLLMModel}
	}
	if sound(problems, "PUBLIC_URL", "PORT", "TRUSTED_PROXIES") {
		c.Public = &doctor.Public{URL: cfg.PublicURL, PublicURL: cfg.PublicURL, Proxies: len(cfg.TrustedProxies) > 0}
	}
	if sound(problems, "ADMIN_LISTEN") {
		c.Admin = &doctor.Admin{Listen: cfg.AdminListen}
	}
	return c
}

// sound says whether no problem is about one of the names, or names that begin so. When a source could not be read, nothing is
// sound: its values are not known.
func sound(problems config.Problems, names ...string) bool {
	for _, p := range problems {
		if strings.Trim(p.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return false
		}
		for _, name := range names {
			if strings.HasPrefix(p.Name, name) {
				return false
			}
		}
	}
	return true
}

// keptSecret looks at the signing secret in the data folder, if there is one already.
func keptSecret(cfg *config.Config) error {
	if cfg.JWTSecret != "" || !cfg.Embedded() {
		return nil
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "jwt-secret")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := config.SecretFile(cfg.DataDir)
	return err
}
