package interop_test

import (
	"encoding/json"
	"os"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// TestEnvoyRecipes reads the recipes by Envoy's own types and rules: it finds
// names, types and ranges that Envoy would refuse, not what Envoy does with them.
func TestEnvoyRecipes(t *testing.T) {
	for _, name := range []string{"envoy-grpc.yaml", "envoy-http.yaml"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../deploy/recipes/" + name)
			if err != nil {
				t.Fatal(err)
			}
			var tree any
			if err := yaml.Unmarshal(text, &tree); err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(tree)
			if err != nil {
				t.Fatal(err)
			}
			var config bootstrap.Bootstrap
			if err := protojson.Unmarshal(b, &config); err != nil {
				t.Fatal(err)
			}
			if err := config.ValidateAll(); err != nil {
				t.Error(err)
			}
			var manager hcm.HttpConnectionManager
			if err := config.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(&manager); err != nil {
				t.Fatal(err)
			}
			if err := manager.ValidateAll(); err != nil {
				t.Error(err)
			}
			for _, filter := range manager.GetHttpFilters() {
				m, err := filter.GetTypedConfig().UnmarshalNew()
				if err != nil {
					t.Fatal(err)
				}
				if v, ok := m.(interface{ ValidateAll() error }); !ok || v.ValidateAll() != nil {
					t.Errorf("%s: %v", proto.MessageName(m), v.ValidateAll())
				}
			}
		})
	}
}
