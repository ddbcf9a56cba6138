from . import errors as errors
from . import evaluation as evaluation
from . import losses as losses
from . import similarity as similarity
from .calibration.decisions import Calibration as Calibration
from .calibration.decisions import Verdict as Verdict
from .data.items import Items as Items
from .data.sources import read_items as read_items
from .data.vector_files import read_vectors as read_vectors
from .encoders.encoder import Encoder as Encoder
from .errors import NearkinError as NearkinError
from .evaluation.report import Report as Report
from .gallery.gallery import Gallery as Gallery
from .gallery.hits import Hit as Hit
from .gallery.hits import Hits as Hits
from .gallery.hits import Item as Item
from .tasks.calibrate import calibrate as calibrate
from .tasks.cluster import cluster as cluster
from .tasks.compare.run import compare as compare
from .tasks.embed import embed as embed
from .tasks.evaluate import evaluate as evaluate
from .training.settings import TrainSettings as TrainSettings
from .training.train import train as train

__version__: str
