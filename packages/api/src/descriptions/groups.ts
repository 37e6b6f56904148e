/** Kinds of the other groups. */
export const groupDescriptions = `
Deployment: Keeps a number of pods running, and replaces them step by step when their template changes.
DeploymentSpec.replicas: How many pods are wanted. Default 1.
DeploymentSpec.selector: Labels of its pods; must match those of the template. It can't be changed.
DeploymentSpec.template: What the pods look like.
DeploymentSpec.strategy: How old pods are replaced by new ones.
DeploymentSpec.paused: True: changes of the template wait.
DeploymentSpec.progressDeadlineSeconds: Seconds without progress after which a rollout is reported as failed.
DeploymentStrategy.type: RollingUpdate or Recreate.
RollingUpdateDeployment.maxSurge: How many pods, by number or share, there may be beyond those wanted.
RollingUpdateDeployment.maxUnavailable: How many pods, by number or share, may be missing.
DeploymentStatus.unavailableReplicas: How many pods are still missing.
ReplicaSet: Keeps a number of pods running.
ReplicaSetSpec.replicas: How many pods are wanted. Default 1.
ReplicaSetSpec.template: What the pods look like.
StatefulSet: Keeps pods with stable names and volumes, made and ended in order.
StatefulSetSpec.serviceName: Service that gives the pods their names in DNS.
StatefulSetSpec.replicas: How many pods are wanted. Default 1.
StatefulSetSpec.template: What the pods look like.
StatefulSetSpec.volumeClaimTemplates: Claims that each pod gets and keeps.
StatefulSetSpec.podManagementPolicy: OrderedReady makes one pod after the other; Parallel all at once.
StatefulSetSpec.updateStrategy: How pods are replaced when the template changes.
StatefulSetSpec.persistentVolumeClaimRetentionPolicy: What becomes of claims when pods or the set go.
StatefulSetSpec.ordinals: Number that the names of pods begin with.
DaemonSet: Runs one pod on each node, or on some of them.
DaemonSetSpec.template: What the pods look like.
DaemonSetSpec.updateStrategy: How pods are replaced when the template changes: RollingUpdate or OnDelete.
ControllerRevision: A past state of a StatefulSet or DaemonSet.
Job: Runs pods until a number of them has succeeded.
JobSpec.parallelism: How many pods run at a time.
JobSpec.completions: How many pods must succeed.
JobSpec.backoffLimit: How many failures there may be.
JobSpec.backoffLimitPerIndex: How many failures each index may have.
JobSpec.maxFailedIndexes: How many indexes may fail.
JobSpec.activeDeadlineSeconds: Seconds after which the job is ended.
JobSpec.ttlSecondsAfterFinished: Seconds after its end when the job is deleted.
JobSpec.completionMode: NonIndexed, or Indexed for pods with a number each.
JobSpec.managedBy: Controller that runs the job, where it is not the cluster's own.
JobSpec.suspend: True: the job makes no pods.
JobSpec.manualSelector: True: selector and labels are the user's own affair.
JobSpec.template: What the pods look like.
JobSpec.podFailurePolicy: What failures of pods mean.
JobSpec.successPolicy: When the job has succeeded before all its pods have.
JobSpec.podReplacementPolicy: When a pod is replaced: TerminatingOrFailed or Failed.
JobStatus.active: How many pods run.
JobStatus.succeeded: How many pods have succeeded.
JobStatus.failed: How many pods have failed.
JobStatus.completionTime: When the job was done.
CronJob: Makes a Job at times.
CronJobSpec.schedule: When, in the form of cron: minute, hour, day of month, month, day of week.
CronJobSpec.timeZone: Time zone of the schedule.
CronJobSpec.startingDeadlineSeconds: How late a job may still be started.
CronJobSpec.concurrencyPolicy: Whether a job is started while the last one runs: Allow, Forbid or Replace.
CronJobSpec.suspend: True: no jobs are made.
CronJobSpec.jobTemplate: What the jobs look like.
CronJobSpec.successfulJobsHistoryLimit: How many successful jobs are kept.
CronJobSpec.failedJobsHistoryLimit: How many failed jobs are kept.
HorizontalPodAutoscaler: Changes the number of pods by how much they have to do.
HorizontalPodAutoscalerSpec.scaleTargetRef: What is scaled.
HorizontalPodAutoscalerSpec.minReplicas: The fewest pods.
HorizontalPodAutoscalerSpec.maxReplicas: The most pods.
HorizontalPodAutoscalerSpec.metrics: What is measured, and which values are wanted.
HorizontalPodAutoscalerSpec.behavior: How fast it scales up and down.
Scale: The number of replicas of something that can be scaled.
PodDisruptionBudget: Limits how many pods may be removed on purpose at a time.
PodDisruptionBudgetSpec.minAvailable: How many pods, by number or share, must stay.
PodDisruptionBudgetSpec.maxUnavailable: How many pods, by number or share, may be missing.
PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy: Whether pods that are not ready may always be removed.
Eviction: Removes a pod where its disruption budgets allow it.
Ingress: Brings HTTP from outside to Services.
IngressSpec.ingressClassName: Which controller serves it.
IngressSpec.defaultBackend: Where requests go that no rule is for.
IngressSpec.tls: Certificates and the hosts they are for.
IngressSpec.rules: Hosts and paths, and where they lead.
IngressClass: A kind of Ingress, and who serves it.
NetworkPolicy: Which traffic pods may have.
NetworkPolicySpec.podSelector: Pods that it is about; the empty one chooses all of the namespace.
NetworkPolicySpec.policyTypes: Ingress, Egress or both.
NetworkPolicySpec.ingress: What may come in.
NetworkPolicySpec.egress: What may go out.
IPAddress: An address that is taken.
ServiceCIDR: A range of addresses for Services.
EndpointSlice: Some of the addresses behind a Service.
EndpointSlice.addressType: IPv4, IPv6 or FQDN.
EndpointSlice.endpoints: The addresses, and what is known about each.
Endpoint.addresses: Addresses of one endpoint.
Endpoint.targetRef: The pod that it is.
Endpoint.zone: Zone that it is in.
EndpointConditions.ready: Whether it may get new connections.
EndpointConditions.serving: Whether it works, though it may be ending.
EndpointConditions.terminating: Whether it is ending.
StorageClass: A kind of storage, and who makes it.
StorageClass.provisioner: Who makes volumes of the class.
StorageClass.parameters: What is passed to the provisioner.
StorageClass.reclaimPolicy: What happens to volumes when their claims are gone.
StorageClass.allowVolumeExpansion: Whether claims may grow.
StorageClass.volumeBindingMode: Immediate, or WaitForFirstConsumer to wait for a pod.
VolumeAttachment: A volume that is, or is to be, attached to a node.
CSIDriver: What a CSI driver can do and wants.
CSINode: CSI drivers of a node.
CSIStorageCapacity: How much room a driver has left somewhere.
VolumeAttributesClass: Attributes of volumes that can be changed later.
PriorityClass: A name for a priority of pods.
PriorityClass.value: The number; higher goes first.
PriorityClass.globalDefault: True: pods that name no class get this one.
PriorityClass.description: What it is for.
PriorityClass.preemptionPolicy: Whether pods of lower priority are removed for those of this class.
RuntimeClass: A way to run containers.
RuntimeClass.handler: The runtime's name for it.
RuntimeClass.overhead: What a pod needs beside its containers.
RuntimeClass.scheduling: Nodes that know it.
Lease: Who holds something, and until when.
LeaseSpec.holderIdentity: Who holds it.
LeaseSpec.leaseDurationSeconds: Seconds after renewTime when others may take it.
LeaseSpec.acquireTime: When it was taken.
LeaseSpec.renewTime: When it was last renewed.
LeaseSpec.leaseTransitions: How often it changed hands.
Role: What may be done with resources of a namespace.
Role.rules: What may be done.
ClusterRole: What may be done in all namespaces, or with what is in none.
ClusterRole.rules: What may be done.
ClusterRole.aggregationRule: Roles whose rules make up this one.
RoleBinding: Gives a role to users, groups and ServiceAccounts in a namespace.
RoleBinding.subjects: Who gets it.
RoleBinding.roleRef: The role. It can't be changed.
ClusterRoleBinding: Gives a role to users, groups and ServiceAccounts in the whole cluster.
ClusterRoleBinding.subjects: Who gets it.
ClusterRoleBinding.roleRef: The role. It can't be changed.
PolicyRule.nonResourceURLs: Paths outside of resources; a trailing * takes everything below.
PolicyRule.resources: Resources, such as pods or pods/log; * is all.
CertificateSigningRequest: A request for a certificate.
CertificateSigningRequestSpec.request: The request, a PEM block in base64.
CertificateSigningRequestSpec.signerName: Who is to sign it.
CertificateSigningRequestSpec.usages: What the key is for.
CertificateSigningRequestStatus.certificate: The certificate, once it is signed.
MutatingWebhookConfiguration: Webhooks that may change objects before they are stored.
ValidatingWebhookConfiguration: Webhooks that may refuse requests.
ValidatingAdmissionPolicy: Rules that requests must keep, in CEL.
MutatingAdmissionPolicy: Changes to objects before they are stored, in CEL.
ValidatingAdmissionPolicyBinding: Puts a ValidatingAdmissionPolicy into effect, for some requests and with parameters.
MutatingAdmissionPolicyBinding: Puts a MutatingAdmissionPolicy into effect, for some requests and with parameters.
CustomResourceDefinition: A kind of object that is added to the API.
CustomResourceDefinitionSpec.group: API group of the kind.
CustomResourceDefinitionSpec.names: How the kind is called.
CustomResourceDefinitionSpec.scope: Namespaced or Cluster.
CustomResourceDefinitionSpec.versions: Versions in which it is served, and the one in which it is stored.
CustomResourceDefinitionSpec.conversion: How objects are converted between versions.
CustomResourceDefinitionVersion.served: Whether clients may use the version.
CustomResourceDefinitionVersion.storage: Whether objects are stored in this version.
CustomResourceDefinitionVersion.schema: What objects look like.
CustomResourceDefinitionVersion.subresources: Whether objects have a status and a scale of their own.
CustomResourceDefinitionVersion.additionalPrinterColumns: Columns of tables.
CustomResourceDefinitionVersion.selectableFields: Fields that field selectors may name.
APIService: A group version of the API, and who serves it.
APIServiceSpec.service: Service of the server; none means this one.
APIServiceSpec.caBundle: Authorities, in PEM, for the server's certificate.
APIServiceSpec.insecureSkipTLSVerify: True: the server's certificate is not checked.
APIServiceSpec.groupPriorityMinimum: Groups with higher numbers come first.
APIServiceSpec.versionPriority: Versions with higher numbers come first in their group.
FlowSchema: Which requests belong to which priority level.
PriorityLevelConfiguration: How many requests of a level are served at a time, and how many wait.
ResourceClaim: A wish for devices.
ResourceClaimTemplate: What claims made for pods look like.
ResourceSlice: Devices that a driver offers.
DeviceClass: A kind of device.
`;
