package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

// settings are the flags that every command with a configuration takes: --config, --env-file, and one for each name that is
// not secret (a process list shows flags).
type settings struct {
	cmd     *cobra.Command
	yaml    string
	envFile string
	names   []config.Name
}

// addSettings registers the flags. Where they are a side matter, only the two files appear in the help text.
func addSettings(cmd *cobra.Command, shown bool) *settings {
	s := &settings{cmd: cmd, names: config.Names()}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.yaml, "config", "", "YAML file with the same names, in lower case")
	flags.StringVar(&s.envFile, "env-file", "", "file of NAME=value lines (default .env.saas, when it is there)")
	for _, n := range s.names {
		if n.Flag == "" {
			continue
		}
		help := n.Help
		if n.Default != "" {
			help += " (default " + n.Default + ")"
		}
		flags.String(n.Flag, "", help)
		flags.Lookup(n.Flag).Hidden = !shown
	}
	return s
}

// load reads the configuration; the flags that were given win over everything.
func (s *settings) load(purpose config.Purpose) (*config.Config, error) {
	given := map[string]string{}
	for _, n := range s.names {
		if f := s.cmd.Flags().Lookup(n.Flag); n.Flag != "" && f.Changed {
			given[n.Env] = f.Value.String()
		}
	}
	return config.Load(config.Sources{YAML: s.yaml, EnvFile: s.envFile, Flags: given, Purpose: purpose})
}

// withTools opens the services without serving, runs, and closes them.
func (s *settings) withTools(purpose config.Purpose, run func(context.Context, *app.Tools, io.Writer) error) (err error) {
	cfg, err := s.load(purpose)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	tools, err := app.OpenTools(s.cmd.Context(), cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tools.Close()) }()
	return run(s.cmd.Context(), tools, s.cmd.OutOrStdout())
}
