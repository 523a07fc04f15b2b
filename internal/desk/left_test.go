package desk

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/member"
	"mishap/internal/proxy/registry"
)

// TestStatusAndPlanCountWhatARestartOfAProxyLeft has a control API that tells of such connections.
func TestStatusAndPlanCountWhatARestartOfAProxyLeft(t *testing.T) {
	control := filepath.Join(t.TempDir(), "c.sock")
	l, err := net.Listen("unix", control)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]registry.ProxyStatus{{Name: "pay", Left: 3}, {Name: "carts", Left: 1}, {Name: "new"}})
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	settings := &config.Settings{State: t.TempDir(), Proxies: []config.Proxy{{Name: "pay", Control: control}, {Name: "carts", Control: control}, {Name: "new", Control: control}}}
	c := catalog.New(catalog.Options{Settings: settings})
	a := New(Options{Settings: settings, Member: member.New(member.Options{State: settings.State}), Catalog: c})
	standing, err := a.Standing(t.Context())
	if err != nil || len(standing.Left) != 2 || !strings.Contains(standing.Left[0], "proxy pay: open connections that a restart left in the process before: 3") {
		t.Errorf("status says %q, %v", standing.Left, err)
	}
	planned := []mishap.Injection{{Target: mishap.Target{Kind: "proxy", ID: "carts"}}}
	if got := c.LeftBehind(t.Context(), planned); len(got) != 1 || !strings.Contains(got[0], "proxy carts: open connections that a restart left in the process before: 1") {
		t.Errorf("plan says %q", got)
	}
	if got := c.LeftBehind(t.Context(), []mishap.Injection{}); got != nil {
		t.Errorf("a plan without proxies says %q", got)
	}
}
