package proxy

import (
	"net/http"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

type wireOwner struct {
	Run     string         `json:"run"`
	Expires fault.Duration `json:"expires"`
	Renew   bool           `json:"renew,omitempty"`
}

func (s *server) handleOwn(r *http.Request) (int, any, error) {
	var body wireOwner
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	owned, err := s.faults.Own(r.PathValue("name"), registry.Owner{Run: body.Run, Expires: time.Duration(body.Expires), Renew: body.Renew})
	return http.StatusOK, owned, err
}

func (s *server) handleDisown(r *http.Request) (int, any, error) {
	return http.StatusOK, s.faults.Disown(r.PathValue("name"), r.URL.Query().Get("run")), nil
}
