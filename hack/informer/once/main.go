// Client-go's other clients for tests, each used once: typed over protobuf, dynamic, metadata, discovery. What they say goes to standard
// output, one line each, the same for every way to the same cluster.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "default"

// Of the ConfigMap that is made, changed and deleted.
var name string

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
var roles = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "file")
	flag.StringVar(&name, "name", "once", "of the ConfigMap that is made, changed and deleted")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	for _, check := range []func(context.Context, *rest.Config) error{typed, untyped, onlyMetadata, discover} {
		if err == nil {
			err = check(ctx, config)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// typed writes and reads over protobuf, and is told of a conflict.
func typed(ctx context.Context, config *rest.Config) error {
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = "application/vnd.kubernetes.protobuf"
	protobuf.AcceptContentTypes = protobuf.ContentType
	client, err := kubernetes.NewForConfig(protobuf)
	if err != nil {
		return err
	}
	all := client.CoreV1().ConfigMaps(namespace)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"color": "red"}}
	made, err := all.Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = all.Patch(ctx, name, types.MergePatchType, []byte(`{"data":{"color":"blue"}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	_, err = all.Update(ctx, made, metav1.UpdateOptions{})
	fmt.Println("an update of what has changed:", errors.ReasonForError(err))
	wanted := apply.ConfigMap(name, namespace).WithData(map[string]string{"size": "big"})
	applied, err := all.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: name})
	if err != nil {
		return err
	}
	fmt.Println("applied:", applied.Data)
	_, err = all.Get(ctx, "nobody", metav1.GetOptions{})
	fmt.Println("what is not there:", errors.ReasonForError(err))
	return nil
}

// untyped reads in pages, and watches from the beginning: events, then the bookmark that says that those were all.
func untyped(ctx context.Context, config *rest.Config) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	var names []string
	options := metav1.ListOptions{Limit: 7}
	for pages := 1; ; pages++ {
		list, err := client.Resource(roles).List(ctx, options)
		if err != nil {
			return err
		}
		for _, item := range list.Items {
			names = append(names, item.GetName())
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			fmt.Println("pages:", pages, "objects:", strings.Join(names, " "))
			break
		}
	}
	isInitial := true
	watch, err := client.Resource(configMaps).Namespace(namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector:        "metadata.name=" + name,
		SendInitialEvents:    &isInitial,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		AllowWatchBookmarks:  true,
	})
	if err != nil {
		return err
	}
	isComplete := false
	for event := range watch.ResultChan() {
		if isComplete && event.Type == "BOOKMARK" {
			continue // those that come by the clock
		}
		fmt.Println("event:", event.Type)
		if event.Type == "BOOKMARK" {
			isComplete = true
			err = client.Resource(configMaps).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{})
			if err != nil {
				return err
			}
		}
		if event.Type == "DELETED" {
			watch.Stop()
			return nil
		}
	}
	return fmt.Errorf("the watch ended early: %w", ctx.Err())
}

func onlyMetadata(ctx context.Context, config *rest.Config) error {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	list, err := client.Resource(roles).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	fmt.Println("metadata:", len(list.Items))
	return nil
}

func discover(_ context.Context, config *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	sort.Slice(lists, func(a, b int) bool { return lists[a].GroupVersion < lists[b].GroupVersion })
	for _, list := range lists {
		fmt.Println("resources of", list.GroupVersion+":", len(list.APIResources))
	}
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	var known []string
	for path, group := range paths {
		text, err := group.Schema("application/json")
		if err != nil {
			return fmt.Errorf("the schema of %s: %w", path, err)
		}
		known = append(known, fmt.Sprint(path, " ", len(text)))
	}
	sort.Strings(known)
	fmt.Println("schemas:", strings.Join(known, ", "))
	return nil
}
