/** What is common to all kinds. A line without a type is about every field of that name which has no line of its own. */
export const metaDescriptions = `
.kind: Name of the type of this object, in CamelCase. The URL of a request says it too; it can't be changed.
.apiVersion: APIVersion defines in which version of its group this object is written, such as apps/v1.
.metadata: Standard object's metadata: its name, its labels, and what the server notes about it.
.spec: What is wanted. Controllers work towards it.
.status: What is the case, as controllers last saw it. Not for users to write.
.items: The objects of the list.
.name: Name of this thing, unique where it stands.
.namespace: Namespace that this is in, or that the reference leads to.
.uid: Identifier that no other object has or had; a new object of the same name has another.
.conditions: What can be said about the state, one entry for each type of condition.
.reason: The cause in one CamelCase word, for programs.
.message: The same in words, for people.
.observedGeneration: metadata.generation that the controller had seen when it wrote this.
.labelSelector: Chooses objects by their labels.
.namespaceSelector: Chooses namespaces by their labels.
.selector: Chooses objects by their labels.
.expirationSeconds: How long this is good for, in seconds.
.timeoutSeconds: How long to wait, in seconds, before it counts as failed.
.terminationGracePeriodSeconds: Seconds that containers get between being asked to end and being ended.
.minReadySeconds: Seconds that a new pod must be ready without a container failing before it counts as available.
.revisionHistoryLimit: How many old revisions are kept, so that one can go back to them.
.replicas: How many there are, or are to be.
.readyReplicas: How many pods are ready.
.availableReplicas: How many pods have been ready for at least minReadySeconds.
.updatedReplicas: How many pods are made from the current template.
.collisionCount: Counts clashes of generated names, so that the next name differs.
.resources: Compute resources that are asked for and allowed.
.limits: The most of each resource that may be used.
.requests: The least of each resource that is kept free for this.
.capacity: The whole amount of each resource.
.allocatable: The amount of each resource that pods may use.
.readOnly: True: it can be read and not written.
.fsType: File system that the volume has or gets, such as ext4.
.secretRef: Secret with the credentials.
.key: The key to select.
.optional: True: it may be absent.
.nodeName: Name of the node.
.nodeSelector: Labels that a node must have.
.hostname: Name of the host.
.ip: IP address.
.port: Port number, or the name of one.
.ports: Ports by which this is reached.
.protocol: TCP, UDP or SCTP. Default TCP.
.priority: Higher means more important.
.verbs: Verbs of the API, such as get, list, watch, create, update, patch and delete; * is all.
.apiGroups: API groups; the empty one is core, * is all.
.apiVersions: API versions; * is all.
.resourceNames: Names of the objects this is about; none means all.
.apiGroup: API group of what is referred to; empty for core.
.subresource: Subresource, such as status or scale.
.failurePolicy: What happens when it can't be asked or evaluated: Ignore or Fail.
.expression: Expression in CEL.
.data: The data.
.image: Image of the container.
.command: The command and its arguments.
.path: The path.
.host: Name or address of a host.
.group: API group; empty for core.
.version: API version.
.resource: The resource, by its plural name.
.driver: Name of the driver.
.scope: What this is about: a namespace, or the whole cluster.
.volumeAttributesClassName: VolumeAttributesClass of the volume.
.tolerations: Taints that are put up with.
.lastTransitionTime: When the status last changed.
.lastUpdateTime: When this was last looked at.
.loadBalancer: The load balancer's addresses.
.url: Address by which it is called.
.service: Service by which it is called.
.caBundle: Authorities, in PEM, for the certificate of what is called.
.matchConditions: Conditions in CEL that a request must fulfil to be looked at.
.objectSelector: Chooses objects by their labels.
.operator: How key and values are compared.
.phase: Where in its life cycle this is.

ObjectMeta: What every stored object has: its name, and what users and the server note about it.
ObjectMeta.name: Name of the object, unique among its kind in its namespace. It can't be changed.
ObjectMeta.generateName: Beginning of a name that the server completes, used where no name is given.
ObjectMeta.namespace: Namespace that the object lives in. Kinds of the whole cluster have none. It can't be changed.
ObjectMeta.selfLink: Not filled any more.
ObjectMeta.uid: Identifier given by the server. No other object in the history of the cluster has the same.
ObjectMeta.resourceVersion: Which state of the object this is. Opaque; changes with every write, and is good for optimistic locking and for watches.
ObjectMeta.generation: Counts changes of what is wanted (spec). Set by the server.
ObjectMeta.creationTimestamp: CreationTimestamp is a timestamp that the server sets when it makes the object. It can't be changed.
ObjectMeta.deletionTimestamp: When the object is to be gone, once its deletion was asked for. While finalizers remain it stays. Set by the server.
ObjectMeta.deletionGracePeriodSeconds: Seconds that the object gets to end gracefully. Set by the server with deletionTimestamp.
ObjectMeta.labels: Keys and values by which objects are grouped and selected.
ObjectMeta.annotations: Keys and values for tools and people; nothing is selected by them.
ObjectMeta.ownerReferences: Objects that this one depends on. When all of them are gone it is deleted too.
ObjectMeta.finalizers: Who has still work to do before the object may go. Each takes out its own entry.
ObjectMeta.managedFields: Which fields were set by whom, for server-side apply. Kept by the server.
OwnerReference: Another object in the same namespace, or of the whole cluster, that owns this one.
OwnerReference.controller: True for the one owner that manages the object.
OwnerReference.blockOwnerDeletion: True: an owner that is deleted in the foreground stays until this object is gone.
ManagedFieldsEntry: Fields that one manager has set by one kind of operation in one version.
ManagedFieldsEntry.manager: Who set them.
ManagedFieldsEntry.operation: Apply, or Update for all other writes.
ManagedFieldsEntry.time: When fields were last added to or taken from the entry.
ManagedFieldsEntry.fieldsType: Format of fieldsV1.
ManagedFieldsEntry.fieldsV1: The fields, as a tree of their paths.
ManagedFieldsEntry.subresource: Subresource by which they were set; empty for the object itself.
ListMeta: What is known about a list as a whole.
ListMeta.resourceVersion: State of the server that the list shows; a watch can go on from here.
ListMeta.continue: Token by which the next part of the list is asked for; empty at the end.
ListMeta.remainingItemCount: About how many objects are still to come.
LabelSelector: Chooses by labels. All of its requirements must hold; an empty one chooses everything.
LabelSelector.matchLabels: Labels that must have exactly these values.
LabelSelector.matchExpressions: Further requirements on labels.
LabelSelectorRequirement.operator: In, NotIn, Exists or DoesNotExist.
LabelSelectorRequirement.values: Values for In and NotIn.
Condition: One aspect of an object's state.
Condition.type: Which aspect it is about.
Condition.status: True, False or Unknown.
Condition.lastTransitionTime: When the status last changed.
Status: The result of a request that answers with no object.
Status.code: HTTP status code.
Status.details: What the result is about, and what exactly was wrong.
DeleteOptions.gracePeriodSeconds: Seconds for a graceful end; 0 is at once.
DeleteOptions.propagationPolicy: What becomes of dependents: Orphan, Background or Foreground.
DeleteOptions.preconditions: What must hold for the deletion to happen.
DeleteOptions.dryRun: With the value All nothing is stored.
`;
