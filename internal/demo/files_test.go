package demo

import (
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestAShopsPortsAreItsOwnAndNoneOfAClient(t *testing.T) {
	shop, err := NewShop(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Shop]()) {
		address := reflect.ValueOf(shop).FieldByIndex(field.Index).String()
		host, port, err := net.SplitHostPort(address)
		if field.Name == "Dir" || strings.Contains(host, "/") {
			continue
		}
		if n, _ := strconv.Atoi(port); err != nil || host != "127.0.0.1" || n < 1024 || n >= 32768 || seen[port] {
			t.Errorf("%s listens on %s", field.Name, address)
		}
		seen[port] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d ports", len(seen))
	}
}
