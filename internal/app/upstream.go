package app

import (
	"context"
	"time"
)

// watchUpstream logs which upstream answers, and each change of that.
func (a *App) watchUpstream(ctx context.Context) {
	last, compared := "?", ""
	every(ctx, upstreamPause, func(ctx context.Context) {
		version, err := a.upstreamVersion(ctx)
		if version == last || ctx.Err() != nil {
			return
		}
		last = version
		if err != nil {
			a.log.Warn("the upstream does not answer; pages and accounts work, conversations do not", "upstream", a.cfg.UpstreamURL, "error", err)
			return
		}
		a.log.Info("the upstream answers", "upstream", a.cfg.UpstreamURL, "version", version)
		if version != compared {
			compared = version
			a.compareUpstream(ctx)
		}
	})
}

// compareUpstream says how the upstream differs from the one that the table was made for. What no row names is denied either
// way.
func (a *App) compareUpstream(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	report, err := a.dialect.Inspect(ctx)
	if err != nil {
		a.log.Warn("the upstream's operations could not be compared with the table; what no row names is denied all the same", "error", err)
		return
	}
	for _, remark := range report.Remarks() {
		a.log.Warn(remark)
	}
}

func (a *App) upstreamVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return a.dialect.Learn(ctx)
}
