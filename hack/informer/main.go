// A client-go informer for tests: what Argo CD and every controller are made of. It watches the ConfigMaps of one namespace and prints
// one line of JSON for each request that it makes and each event that it hands out, until its standard input ends.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type line struct {
	// list: the whole state was asked for, by a list or by a watch that sends it first; watch: it was not; add, update, delete: an event.
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// data.count of the ConfigMap.
	Count string `json:"count,omitempty"`
	// Answer to a request: its status, or why there was none.
	Answer string `json:"answer,omitempty"`
}

var out sync.Mutex

func say(l line) {
	out.Lock()
	defer out.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(l)
}

type recorder struct{ next http.RoundTripper }

func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	kind := "list"
	if query.Get("watch") == "true" && query.Get("sendInitialEvents") != "true" {
		kind = "watch"
	}
	response, err := r.next.RoundTrip(request)
	if err != nil {
		say(line{Kind: kind, Answer: err.Error()})
	} else {
		say(line{Kind: kind, Answer: response.Status})
	}
	return response, err
}

func event(kind string) func(object any) {
	return func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			say(line{Kind: "missed", Name: gone.Key})
			return
		}
		if configMap, ok := object.(*corev1.ConfigMap); ok {
			say(line{Kind: kind, Name: configMap.Name, Count: configMap.Data["count"]})
		}
	}
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file")
	namespace := flag.String("namespace", "default", "whose ConfigMaps")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return recorder{next} })
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0*time.Second, informers.WithNamespace(*namespace),
		informers.WithTweakListOptions(func(*metav1.ListOptions) {}))
	informer := factory.Core().V1().ConfigMaps().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    event("add"),
		UpdateFunc: func(_, object any) { event("update")(object) },
		DeleteFunc: event("delete"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	say(line{Kind: "synced"})
	<-stop
}
