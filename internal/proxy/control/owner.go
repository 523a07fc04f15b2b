package control

import (
	"net/http"
	"time"

	"mishap/internal/proxy/registry"
)

func (a *API) handleOwn(r *http.Request) (int, any, error) {
	var body wireOwner
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	owned, err := a.Faults.Own(r.PathValue("name"), registry.Owner{Run: body.Run, Expires: time.Duration(body.Expires), Renew: body.Renew})
	return http.StatusOK, owned, err
}

func (a *API) handleDisown(r *http.Request) (int, any, error) {
	return http.StatusOK, a.Faults.Disown(r.PathValue("name"), r.URL.Query().Get("run")), nil
}
