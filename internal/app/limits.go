package app

import "github.com/openhands-saas/openhands-saas/proxy"

// limits are the fair shares of the configuration, where 0 is no limit, in the engine's words, where that is a negative number.
func (a *App) limits() proxy.Limits {
	most := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	return proxy.Limits{
		RequestsByUser:            most(a.cfg.LimitRequestsPerUser),
		RequestsByTeam:            most(a.cfg.LimitRequestsPerTeam),
		UploadsByUser:             most(a.cfg.LimitUploadsPerUser),
		SocketsByUser:             most(a.cfg.LimitSocketsPerUser),
		SocketsByTeam:             most(a.cfg.LimitSocketsPerTeam),
		StartsByTeam:              most(a.cfg.LimitStartsPerTeam),
		StartsByMinute:            most(a.cfg.LimitStartsPerMinute),
		SubscribersByUser:         most(a.cfg.LimitSubscribersPerUser),
		SubscribersByConversation: most(a.cfg.LimitSubscribersPerConversation),
	}
}
