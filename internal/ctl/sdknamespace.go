package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/chef-sync/chef-sync/workflows"
)

const (
	// spreadTimeout is how long a cluster may take to spread a namespace, or what
	// was added to it, among its servers: each reads it anew every 2 seconds.
	spreadTimeout = 30 * time.Second

	spreadInterval = 200 * time.Millisecond
)

func (s *sdk) Retention(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := s.client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	return got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(), err
}

func (s *sdk) SetRetention(ctx context.Context, keep time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: s.namespace, Config: &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(keep)},
	})
	return err
}

func (s *sdk) Register(ctx context.Context, keep time.Duration) error {
	rctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.WorkflowService().RegisterNamespace(rctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: s.namespace, Description: "chef-sync", WorkflowExecutionRetentionPeriod: durationpb.New(keep),
	})
	if err != nil {
		return err
	}
	return s.spread(ctx, "namespace "+s.namespace, func(ctx context.Context) error {
		_, err := s.client.DescribeTaskQueue(ctx, workflows.TaskQueue("-"), enums.TASK_QUEUE_TYPE_WORKFLOW)
		return err
	})
}

func (s *sdk) AddSearchAttributes(ctx context.Context, add map[string]enums.IndexedValueType) error {
	actx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.OperatorService().AddSearchAttributes(actx, &operatorservice.AddSearchAttributesRequest{
		Namespace: s.namespace, SearchAttributes: add,
	})
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(add))
	query := strings.Join(names, " IS NULL AND ") + " IS NULL"
	return s.spread(ctx, "search attributes "+strings.Join(names, ", "), func(ctx context.Context) error {
		_, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: s.namespace, Query: query})
		return err
	})
}

// spread waits until try succeeds.
func (s *sdk) spread(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, spreadTimeout)
	defer cancel()
	wait := time.NewTicker(spreadInterval)
	defer wait.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: made, and not to be used after %s: %w", what, spreadTimeout, err)
		}
	}
}
