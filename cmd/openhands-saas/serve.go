package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/argon"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve until told to stop (Ctrl-C, SIGTERM)",
		Args:  cobra.NoArgs,
	}
	format := cmd.Flags().String("log-format", "text", "text or json")
	level := cmd.Flags().String("log-level", "info", "debug, info, warn or error")
	s := addSettings(cmd, true)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := newLog(cmd.ErrOrStderr(), *format, *level)
		if err != nil {
			return err
		}
		cfg, err := s.load(config.ForServe)
		if err != nil {
			return err
		}
		return serve(cmd, cfg, log)
	}
	return cmd
}

func serve(cmd *cobra.Command, cfg *config.Config, log *slog.Logger) (err error) {
	for _, notice := range cfg.Notices {
		log.Warn(notice)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program's own file: %w", err)
	}
	hashes := argon.NewProcess(log, self, hashWord)
	defer hashes.Close()
	a, err := app.New(cmd.Context(), cfg, app.Options{Log: log, Out: cmd.OutOrStdout(), Hashes: hashes})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.Run(cmd.Context())
}

func newLog(out io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: write one of debug, info, warn, error")
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(out, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return nil, fmt.Errorf("--log-format: write text or json")
}
