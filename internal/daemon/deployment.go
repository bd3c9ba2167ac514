package daemon

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/internal/version"
)

// deploymentOptions make a worker part of a Worker Deployment, with the version of
// this program; nothing for "". Pairs run for ever, so that they go to another
// version as soon as it is the current one.
func deploymentOptions(name string) worker.DeploymentOptions {
	if name == "" {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: name, BuildID: version.Get().Version},
		DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	}
}

// deploymentTimeout bounds the question which version is the current one.
const deploymentTimeout = 10 * time.Second

// deployed says so if another version than this one does the work, or none: nothing
// else tells why this ec-syncd is idle.
func (d *Daemon) deployed(ctx context.Context, name string) {
	if name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deploymentTimeout)
	defer cancel()
	current, own := "none", version.Get().Version
	got, err := d.client.WorkerDeploymentClient().GetHandle(name).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if v := got.Info.RoutingConfig.CurrentVersion; err == nil && v != nil {
		current = v.BuildID
	}
	if current == own {
		return
	}
	// An error means most often that nobody of this deployment was here before.
	d.log.WarnContext(ctx, "this version of ec-syncd is given nothing to do until it is the current one of its deployment",
		"deployment", name, "version", own, "current", current,
		"hint", "temporal worker deployment set-current-version --deployment-name "+name+" --build-id '"+own+"'")
}
