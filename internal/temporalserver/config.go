//go:build !noembed

package temporalserver

import (
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// clusterID is arbitrary. It tells clusters apart that replicate into each other,
// which embedded ones never do; without one the server warns and invents its own.
const clusterID = "6a1f2f0e-7d1b-4f3a-9c57-2b8f0c1d4e63"

// newTemporal returns the four services of a Temporal server, not yet started.
func newTemporal(db *config.SQL, p ports, l *logger) (temporal.Server, error) {
	c := serverConfig(db, p)
	return temporal.NewServer(
		temporal.WithConfig(c),
		temporal.ForServices(temporal.DefaultServices),
		// Static hosts instead of membership gossip: there is one host.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(address(p.frontend)),
			primitives.HistoryService:  static.SingleLocalHost(address(p.history)),
			primitives.MatchingService: static.SingleLocalHost(address(p.matching)),
			primitives.WorkerService:   static.SingleLocalHost(address(p.worker)),
		}),
		temporal.WithLogger(l),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	)
}

// serverConfig returns what a cluster has in its YAML file.
func serverConfig(db *config.SQL, p ports) *config.Config {
	const store = "sqlite"
	service := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: loopback}}
	}
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: loopback},
		},
		Persistence: config.Persistence{
			DefaultStore:     store,
			VisibilityStore:  store,
			NumHistoryShards: 1, // fixed for the life of a database; SQLite has one writer anyway
			DataStores:       map[string]config.DataStore{store: {SQL: db}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             address(p.frontend),
				ClusterID:              clusterID,
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(p.frontend),
			string(primitives.HistoryService):  service(p.history),
			string(primitives.MatchingService): service(p.matching),
			string(primitives.WorkerService):   service(p.worker),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
		PublicClient: config.PublicClient{HostPort: address(p.frontend)},
	}
}

// dynamicConfig returns the settings that differ from the server's defaults.
// Numbers have to be int: the client hands them on as they are.
func dynamicConfig() dynamicconfig.Client {
	return dynamicconfig.StaticClient{
		// New search attributes are usable at once.
		dynamicconfig.MakeKey("system.forceSearchAttributesCacheRefreshOnRead"): true,
		// The defaults protect a shared database. This one is ours alone.
		dynamicconfig.MakeKey("frontend.persistenceMaxQPS"): 10000,
		dynamicconfig.MakeKey("history.persistenceMaxQPS"):  45000,
		// The Web UI's pause button.
		dynamicconfig.MakeKey("frontend.WorkflowPauseEnabled"): true,
		// The server would otherwise ask its maker for news, once a day.
		dynamicconfig.MakeKey("frontend.enableServerVersionCheck"): false,
	}
}
